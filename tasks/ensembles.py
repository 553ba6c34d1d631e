"""Random numbers of mean 0 and variance 1, and the measurement ensembles made of them."""

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np

from ..sweeps import Point
from .network import Matrix, Vector
from .sensing import DenseSensing, Sensing, SubsampledDCT

# Entries of a block of rows: what streams holds 8 MiB of them at a time.
BLOCK_ENTRIES = 2**20

Shape = tuple[int, ...]
Law = Callable[[np.random.Generator, Shape, float], Matrix]


def gaussian(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw N(0, 1)."""
    return random.standard_normal(shape)


def rademacher(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw ±1 with equal chances, 64 to a word; each row begins with a new word.

    So rows drawn in blocks are the rows drawn at once.
    """
    *others, last = shape
    words = random.integers(0, 2**64, size=(*others, -(-last // 64)), dtype=np.uint64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    signs = bits[..., :last].astype(float)
    signs *= 2
    signs -= 1
    return signs


def laplace(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw from the density exp(−√2|t|)/√2: isotropic rows of it are sub-exponential."""
    return random.laplace(scale=1 / sqrt(2), size=shape)


def student_t(random: np.random.Generator, shape: Shape, df: float) -> Matrix:
    """Draw Student's t with df = ν > 2, times √((ν − 2)/ν): heavier tails than exponential."""
    return random.standard_t(df, size=shape) * sqrt((df - 2) / df)


def uniform(random: np.random.Generator, shape: Shape, df: float = 0.0) -> Matrix:
    """Draw from [−√3, √3]."""
    return random.uniform(-sqrt(3), sqrt(3), size=shape)


LAWS: dict[str, Law] = {
    "gaussian": gaussian,
    "rademacher": rademacher,
    "laplace": laplace,
    "student-t": student_t,
    "uniform": uniform,
}


def draw_sensing(random: np.random.Generator, point: Point) -> Sensing:
    """Draw A with rows from the point's ensemble, entries of variance 1/m.

    Args:
        random: stream of the measurements.
        point: gives m, n, ensemble and student_df.

    Source: Hand & Voroninski, (1) and the remark after Proposition 6; Qiu, Wei & Yang,
        Assumption 3.1, for the laws of the rows.
    """
    factor = 1 / sqrt(point.m)
    if point.ensemble == "subsampled-dct":
        return subsampled_dct(random, point.m, point.n, factor)
    matrix = LAWS[point.ensemble](random, (point.m, point.n), point.student_df)
    matrix *= factor
    return DenseSensing(matrix)


def subsampled_dct(
    random: np.random.Generator, m: int, n: int, factor: float = 1.0
) -> SubsampledDCT:
    """Draw m of the n rows of the orthonormal DCT-II, times √n and random signs of the columns.

    Rows are drawn without replacement; entries have mean square factor².
    """
    signs = rademacher(random, (n,))
    rows = random.permutation(n)[:m]
    return SubsampledDCT(signs, np.sort(rows), factor * sqrt(n))


def blocks_of_rows(
    random: np.random.Generator, point: Point, entries: int = BLOCK_ENTRIES
) -> Iterator[Sensing]:
    """Draw the m rows of an ensemble, entries of variance 1, some at a time.

    Which rows are drawn does not depend on how many come at a time.

    Args:
        random: stream of the measurements.
        point: gives m, n, ensemble and student_df.
        entries: at most so many of a matrix at a time, but at least one row.
    """
    if point.ensemble == "subsampled-dct":
        yield subsampled_dct(random, point.m, point.n)
        return
    law, rows = LAWS[point.ensemble], rows_of_block(point.n, entries)
    for begin in range(0, point.m, rows):
        count = min(rows, point.m - begin)
        yield DenseSensing(law(random, (count, point.n), point.student_df))


def rows_of_block(n: int, entries: int = BLOCK_ENTRIES) -> int:
    """How many rows of length n come at a time; signs are drawn 64 to a row at least."""
    return max(1, entries // max(n, 64))


def draw_noise(random: np.random.Generator, point: Point, shape: Shape) -> Vector:
    """Draw independent noise of the point's law and sigma; zeros if sigma is 0."""
    noise = point.noise
    if noise.sigma == 0:
        return np.zeros(shape)
    return noise.sigma * LAWS[noise.law](random, shape, point.student_df)
