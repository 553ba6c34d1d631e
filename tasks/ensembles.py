"""Random numbers of mean 0 and variance 1, and the measurement ensembles made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..sweeps.parameter import quantity
from ..sweeps.point import PointBase
from .numerics.network import Matrix, Vector
from .numerics.operators import DenseSensing, Sensing, SubsampledDCT

if TYPE_CHECKING:
    from .point import Point

# Entries of a block of rows that is drawn at once: 8 MiB.
BLOCK_ENTRIES = 2**20

Shape = tuple[int, ...]
Law = Callable[[np.random.Generator, Shape, float], Matrix]


class EnsembleParameters(PointBase):
    """What measurements are drawn from."""

    ensemble: Literal["gaussian", "rademacher", "laplace", "subsampled-dct", "student-t"] = (
        quantity(
            "gaussian",
            "measurement ensemble; entries of all have the same variance",
            draws=True,
            memory=True,
            labelled=True,
        )
    )
    student_df: float = quantity(
        5.0,
        "degrees of freedom ν of Student's t, where measurements or noise have that law",
        gt=2,
        draws=True,
    )


def gaussian(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw N(0, 1); `df` is not used."""
    return random.standard_normal(shape)


def rademacher(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw ±1 with equal probability, 64 from a random word; each row begins with a new word.

    So rows drawn in blocks are the same as rows drawn at once.
    """
    *others, last = shape
    words = random.integers(0, 2**64, size=(*others, -(-last // 64)), dtype=np.uint64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    signs = bits[..., :last].astype(float)
    signs *= 2
    signs -= 1
    return signs


def laplace(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw from the density exp(−√2|t|)/√2; isotropic rows of it are sub-exponential."""
    return random.laplace(scale=1 / sqrt(2), size=shape)


def student_t(random: np.random.Generator, shape: Shape, df: float) -> Matrix:
    """Draw Student's t with df = ν > 2, times √((ν − 2)/ν); its tails are polynomial."""
    return random.standard_t(df, size=shape) * sqrt((df - 2) / df)


def uniform(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw uniformly from [−√3, √3]."""
    return random.uniform(-sqrt(3), sqrt(3), size=shape)


LAWS: dict[str, Law] = {
    "gaussian": gaussian,
    "rademacher": rademacher,
    "laplace": laplace,
    "student-t": student_t,
    "uniform": uniform,
}


@dataclass(frozen=True)
class Ensemble:
    """Rows of measurements with independent entries of variance 1.

    Attributes:
        name: value of `ensemble`.
        law: distribution of the entries; None where rows come from a transform.
    """

    name: str
    law: Law | None

    @property
    def is_matrix(self) -> bool:
        """Whether A is stored as a matrix."""
        return self.law is not None

    def draw(self, random: np.random.Generator, point: Point, factor: float) -> Sensing:
        """Draw A, shape (m, n), whose entries have the mean square factor²."""
        assert self.law is not None
        matrix = self.law(random, (point.m, point.n), point.student_df)
        matrix *= factor
        return DenseSensing(matrix)

    def blocks(self, random: np.random.Generator, point: Point, entries: int) -> Iterator[Sensing]:
        """Draw the rows in blocks; the rows do not depend on the size of a block."""
        assert self.law is not None
        rows = rows_of_block(point.n, entries)
        for begin in range(0, point.m, rows):
            count = min(rows, point.m - begin)
            yield DenseSensing(self.law(random, (count, point.n), point.student_df))

    def entries(self, point: Point) -> int:
        """Count the numbers that A and its draw hold, with one byte per entry to draw signs."""
        entries = point.m * point.n
        return entries + entries // 4 + 4 * point.m

    def check(self, point: Point) -> None:
        """Accept any number of rows."""


class Transform(Ensemble):
    """Rows of an orthonormal transform, drawn without replacement."""

    def draw(self, random: np.random.Generator, point: Point, factor: float) -> Sensing:
        """Draw rows and signs of the transform."""
        return subsampled_dct(random, point.m, point.n, factor)

    def blocks(self, random: np.random.Generator, point: Point, entries: int) -> Iterator[Sensing]:
        """Draw all rows at once, as no matrix is stored."""
        yield subsampled_dct(random, point.m, point.n)

    def entries(self, point: Point) -> int:
        """Count what columns need, computed by transforms of 128 unit vectors at a time."""
        return 400 * point.n

    def check(self, point: Point) -> None:
        """Refuse more rows than the transform has.

        Raises:
            ValueError: names m and n.
        """
        if point.m > point.n:
            raise ValueError(
                f"m = {point.m} exceeds n = {point.n}: '{self.name}' draws its rows without "
                "replacement. Lower m, or leave such points out with 'exclude'."
            )


ENSEMBLES: dict[str, Ensemble] = {
    ensemble.name: ensemble
    for ensemble in (
        Ensemble("gaussian", gaussian),
        Ensemble("rademacher", rademacher),
        Ensemble("laplace", laplace),
        Transform("subsampled-dct", None),
        Ensemble("student-t", student_t),
    )
}


def draw_sensing(random: np.random.Generator, point: Point) -> Sensing:
    """Draw A with rows from the point's ensemble, entries of variance 1/m.

    Args:
        random: stream of the measurements.
        point: gives m, n, ensemble and student_df.

    Source: Hand & Voroninski, (1) and the remark after Proposition 6; Qiu, Wei & Yang,
        Assumption 3.1, for the distributions of the rows.
    """
    return ENSEMBLES[point.ensemble].draw(random, point, 1 / sqrt(point.m))


def subsampled_dct(
    random: np.random.Generator, m: int, n: int, factor: float = 1.0
) -> SubsampledDCT:
    """Draw m of the n rows of the orthonormal DCT-II, times √n and random signs of the columns.

    Rows are drawn without replacement; entries have the mean square factor².
    """
    signs = rademacher(random, (n,))
    rows = random.permutation(n)[:m]
    return SubsampledDCT(signs, np.sort(rows), factor * sqrt(n))


def blocks_of_rows(
    random: np.random.Generator, point: Point, entries: int = BLOCK_ENTRIES
) -> Iterator[Sensing]:
    """Draw the m rows of an ensemble in blocks, entries of variance 1.

    The rows do not depend on the size of a block.

    Args:
        random: stream of the measurements.
        point: gives m, n, ensemble and student_df.
        entries: largest number of matrix entries in a block; a block has at least one row.
    """
    return ENSEMBLES[point.ensemble].blocks(random, point, entries)


def rows_of_block(n: int, entries: int = BLOCK_ENTRIES) -> int:
    """Give the number of rows of length n in a block; a row of signs takes 64 or more entries."""
    return max(1, entries // max(n, 64))


def draw_noise(random: np.random.Generator, point: Point, shape: Shape) -> Vector:
    """Draw independent noise of the point's law and sigma, shape `shape`; zeros if sigma is 0."""
    noise = point.noise
    if noise.sigma == 0:
        return np.zeros(shape)
    return noise.sigma * LAWS[noise.law](random, shape, point.student_df)
