"""A generator whose range is the sparse vectors: each entry is a tent on a circle of codes."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..numerics.network import Network, Vector
from .base import Generator
from .shapes import Shape, made_of_sparsity

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ..point import Point


class Sparse(Generator):
    """R^{2s} → R^n, whose range is the s-sparse vectors; widths 4sn–2sn–n, the last layer linear.

    Source: Kamath, Karmalkar & Price 2020, Lemma 4.1 and Theorem 1.2.
    """

    name: ClassVar[str] = "sparse"
    uses: ClassVar[tuple[str, ...]] = ("sparsity",)
    shape: ClassVar[Shape | None] = made_of_sparsity(lambda s, n: (2 * s, (4 * s * n, 2 * s * n)))
    unique_codes: ClassVar[bool] = False

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Make the network; nothing is drawn, as the weights follow from s and n."""
        return sparse_network(point.sparsity, point.n)

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give 1/sin²(α/2), the square of a tent's slope, with α = π/(n + 1).

        ΛᵀΛ has a block of rank one for each tent that is on, and this is its eigenvalue. It is also
        the largest eigenvalue of ΛᵀΛ unless blocks share an output: q of them make it q times as
        large, so that the default step is stable up to q = 11, or q‖A_i‖² = 11 where A measures.
        In 500 Gaussian codes each for s = 3, 10 and n = 20, 100 the default step times the
        largest eigenvalue was at most 0.7; the bound is 2.
        """
        return 1 / sin(pi / (point.n + 1) / 2) ** 2

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """Draw a code of a vector with a uniform support of s entries, standard normal."""
        return sparse_code(draw_sparse(random, point.sparsity, point.n), point.sparsity)

    @classmethod
    def start_scale(cls, point: Point) -> float:
        """Give 3‖y*‖, so that few tents start lower than an entry may be.

        A tent's height can fall to any value, or rise to the length of its block of the code, as
        fast as the step is made for. The block itself grows only when descent crosses the ridge to
        and fro, about n²/4 times as slowly.
        """
        return 3 * point.target_norm

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count at most 14 s n weights, with their columns, held twice while they are made."""
        return 3 * (14 * point.sparsity * point.n) + 2 * sum(point.widths)


def sparse_rows(columns: ArrayLike, values: ArrayLike, width: int) -> csr_array:
    """Make a sparse matrix with the same number of entries in each row.

    Args:
        columns: columns of the entries of each row, ascending, shape (rows, entries).
        values: their values, of a shape that broadcasts to that.
        width: number of columns.
    """
    from scipy.sparse import csr_array

    indices = np.asarray(columns)
    filled = np.broadcast_to(np.asarray(values, dtype=float), indices.shape).ravel()
    starts = indices.shape[1] * np.arange(len(indices) + 1)
    return csr_array((filled, indices.ravel(), starts), shape=(len(indices), width))


def sparse_network(sparsity: int, n: int) -> Network:
    """Make the explicit generator: the sum of s copies of a network R² → R^n for one entry.

    With α = π/(n + 1), β_i = iα and a block (t sin θ, t cos θ) of the code,

        b_i = relu( a_1/sin(α/2) − a_2·2cos(α/2)/sin(α/2) ),
        a_1 = relu(t sin(θ − β_i)),   a_2 = relu(t sin(θ − β_i − α/2)),

    is a tent on β_i < θ < β_i + α of height t at its middle, and 0 elsewhere. The same network at
    −x, subtracted, gives the negative entries. So G(−x) = −G(x), and no two tents overlap.

    The source has 1/sin α and 1/sin(α/2) for the two coefficients, which makes the height
    t/(2cos(α/2)), and puts tent i of the statement at β_{i−1}; both are corrected here.

    Args:
        sparsity: s, number of blocks.
        n: signal dimension.

    Returns:
        A network of widths 4sn–2sn–n, with 2s coordinates in the code.

    Source: Kamath, Karmalkar & Price 2020, Lemma 4.1 and Theorem 1.2.
    """
    angle = pi / (n + 1)
    starts = angle * np.arange(1, n + 1)
    normals = np.array([_normal(starts), _normal(starts + angle / 2)])
    # Tents by block, output and sign; each has two units in the layer below.
    lines = np.stack([normals, -normals]).transpose(2, 0, 1, 3).reshape(-1, 2)
    blocks = np.repeat(np.arange(sparsity), 4 * n)[:, None]
    tents = np.arange(2 * sparsity * n).reshape(sparsity, n, 2)
    slopes = np.array([1.0, -2 * cos(angle / 2)]) / sin(angle / 2)
    # A row adds the two signs of a block next to each other: one of them is 0, and G exactly odd.
    return Network(
        (
            sparse_rows(2 * blocks + [0, 1], np.tile(lines, (sparsity, 1)), 2 * sparsity),
            sparse_rows(2 * tents.reshape(-1, 1) + [0, 1], slopes, 2 * tents.size),
            sparse_rows(
                tents.transpose(1, 0, 2).reshape(n, -1), np.tile([1.0, -1.0], sparsity), tents.size
            ),
        ),
        linear_last=True,
        symmetry="odd",
    )


def _normal(angles: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Give the row that maps (t sin θ, t cos θ) to t sin(θ − β), for each β."""
    return np.stack([np.cos(angles), -np.sin(angles)], axis=-1)


def sparse_code(signal: Vector, sparsity: int) -> Vector:
    """Give a code that the explicit generator maps to a sparse vector, at the middles of tents.

    Args:
        signal: y, shape (n,), with at most s entries that are not 0.
        sparsity: s.

    Returns:
        x with G(x) = y, shape (2s,). Where y is 0, G(x) is exactly 0.

    Raises:
        ValueError: more than s entries are not 0.

    Source: Kamath, Karmalkar & Price 2020, Lemma 4.1.
    """
    support = check_support(signal, sparsity)
    middles = pi / (signal.size + 1) * (support + 1.5)
    code = np.zeros((sparsity, 2))
    code[: support.size] = np.stack([np.sin(middles), np.cos(middles)], axis=-1)
    code[: support.size] *= signal[support, None]
    return code.ravel()


def check_support(signal: Vector, sparsity: int) -> NDArray[np.intp]:
    """List the indices where a vector is not 0, at most s.

    Raises:
        ValueError: there are more.
    """
    support = np.flatnonzero(signal)
    if support.size > sparsity:
        raise ValueError(
            f"the signal has {support.size} entries that are not 0 and sparsity is {sparsity}; "
            "give a signal with fewer, or a generator of a larger sparsity."
        )
    return support


def draw_sparse(random: np.random.Generator, sparsity: int, n: int) -> Vector:
    """Draw a vector of n entries, s of them standard normal and the others 0."""
    signal = np.zeros(n)
    signal[random.permutation(n)[:sparsity]] = random.standard_normal(sparsity)
    return signal
