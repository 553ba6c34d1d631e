"""A generator of sparse vectors from random wedges, narrower than the explicit generator."""

from __future__ import annotations

from itertools import product
from math import pi, sin, tan
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from ..numerics.network import Matrix, Network, Vector
from .base import Generator
from .shapes import Shape, made_of_sparsity
from .sparse import check_support, draw_sparse, sparse_rows

if TYPE_CHECKING:
    from ..point import Point

MAX_CODE_DRAWS = 1000
# Below this share of vectors that have a code, drawing one would take too long or never end.
MOST_SPARSITY = 12
LEAST_SHARE = 0.01
SAME = 1e-9
PARALLEL = 1e-9


class SparseRandom(Generator):
    """R^{s+1} → R^n by 2n random pairs of directions; widths 8n–2n–n, the last layer linear.

    Source: Kamath, Karmalkar & Price 2020, Section 4.2 and Theorem 2.2.
    """

    name: ClassVar[str] = "sparse-random"
    uses: ClassVar[tuple[str, ...]] = ("sparsity", "wedge_angle")
    shape: ClassVar[Shape | None] = made_of_sparsity(lambda s, n: (s + 1, (8 * n, 2 * n)))
    unique_codes: ClassVar[bool] = False

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Draw the pairs of directions."""
        return sparse_random_network(random, point.sparsity, point.n, point.wedge_angle)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a sparsity that is too large, and wedges that leave hardly any vector a code."""
        if point.sparsity > MOST_SPARSITY:
            raise ValueError(
                f"sparsity is {point.sparsity}, and generator 'sparse-random' takes at most "
                f"{MOST_SPARSITY}: a code is searched along 2^sparsity lines; lower it."
            )
        share = clear_share(point.sparsity, point.n, point.wedge_angle)
        if share < LEAST_SHARE:
            raise ValueError(
                f"'wedge_angle' {point.wedge_angle:g} is too wide at n = {point.n}: only "
                f"{share:.1g} of sparse vectors are outside all other wedges, and at least "
                f"{LEAST_SHARE:g} must; lower it to 1/n = {1 / point.n:.2g}."
            )

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give max(1, q/(s + 1))/sin²α, with q = 4nα/π, the wedges that hold a random code.

        A wedge has the slope 1/sin α, in a direction of its own, so that the eigenvalues of q of
        them have the mean q/(s + 1) squared slopes. The default step times the largest eigenvalue
        was at most 0.94 in 400 Gaussian codes each for s = 1, 2, 3, 5, n = 5 … 100 and
        α = 0.001 … 0.1, and 0.60 in codes of s-sparse vectors; the bound is 2.
        """
        met = 4 * point.n * point.wedge_angle / pi
        return max(1.0, met / (point.sparsity + 1)) / sin(point.wedge_angle) ** 2

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """Draw vectors with a uniform support of s normal entries; give the first code of one.

        Raises:
            ArithmeticError: none of a thousand vectors has a code.
        """
        for _ in range(MAX_CODE_DRAWS):
            code = sparse_random_code(network, draw_sparse(random, point.sparsity, point.n))
            if code is not None:
                return code
        raise ArithmeticError(
            f"none of {MAX_CODE_DRAWS} sparse vectors has a code in this network: its wedges of "
            f"angle {point.wedge_angle:g} overlap too much; lower 'wedge_angle'."
        )

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count at most 8n(s + 1) + 10n weights, with their columns and what makes them."""
        return 4 * point.n * (8 * (point.sparsity + 1) + 10) + 2 * sum(point.widths)


class Wedges(NamedTuple):
    """The wedges of a random sparse generator.

    Attributes:
        normals: v_1 … v_2n, unit vectors, shape (2n, s + 1).
        ridges: v'_1 … v'_2n, unit vectors with v'_i ⟂ v_i.
        slope: tan α.
    """

    normals: Matrix
    ridges: Matrix
    slope: float


def clear_share(sparsity: int, n: int, wedge_angle: float) -> float:
    """Compute (1 − 2α/π)^{2n−s}, the probability that a random code is in no other wedge."""
    return float((1 - 2 * wedge_angle / pi) ** (2 * n - sparsity))


def sparse_random_network(
    random: np.random.Generator, sparsity: int, n: int, wedge_angle: float
) -> Network:
    """Draw the random generator: G_i = F_{2i−1} − F_{2i} for i = 1 … n.

    F_i(x) = relu( |⟨x, v'_i⟩| − |⟨x, v_i⟩|/tan α ), |u| = relu(u) + relu(−u), is positive exactly
    where x is within the angle α of ±v'_i in the plane of v'_i ⟂ v_i, and 0 elsewhere; G is even.

    The source prints F_i as [⟨x, tan α v'_i + v_i⟩]_+ − 2[⟨x, v_i⟩]_+ + [⟨x, tan α v'_i − v_i⟩]_+ −
    2[⟨x, −v_i⟩]_+. That is positive near v'_i only, not near −v'_i, and negative almost everywhere
    else, while its Facts 4.2 and 4.3 need both sides and zeros outside. Its G_i = F_{2i} − F_{2i+1}
    would end at a pair 2n + 1.

    Args:
        random: stream the pairs are drawn from.
        sparsity: s.
        n: signal dimension.
        wedge_angle: α, rad.

    Returns:
        A network of widths 8n–2n–n, with s + 1 coordinates in the code.

    Source: Kamath, Karmalkar & Price 2020, Section 4.2.
    """
    k, pairs = sparsity + 1, np.arange(2 * n)
    normals = _unit(random.standard_normal((2 * n, k)))
    ridges = random.standard_normal((2 * n, k))
    ridges = _unit(ridges - np.sum(ridges * normals, axis=1, keepdims=True) * normals)
    lines = np.stack([ridges, -ridges, normals, -normals], axis=1).reshape(-1, k)
    steepness = 1 / tan(wedge_angle)
    return Network(
        (
            # Sparse, though no entry is 0: only then rows r and −r add up in the same order, which
            # makes G exactly even.
            sparse_rows(np.tile(np.arange(k), (8 * n, 1)), lines, k),
            sparse_rows(
                4 * pairs[:, None] + np.arange(4), [1.0, 1.0, -steepness, -steepness], 8 * n
            ),
            sparse_rows(pairs.reshape(n, 2), [1.0, -1.0], 2 * n),
        ),
        linear_last=True,
        symmetry="even",
    )


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def wedges(network: Network) -> Wedges:
    """Read the wedges from a network of `sparse_random_network`."""
    first, second = network.weights[:2]
    lines = first @ np.eye(first.shape[1])
    third = np.zeros(second.shape[1])
    third[2] = 1.0
    steepness = -float((second @ third)[0])
    return Wedges(lines[2::4], lines[0::4], 1 / steepness)


def sparse_random_code(network: Network, signal: Vector) -> Vector | None:
    """Search a code that a random generator maps to a sparse vector.

    S are the pairs for the signs of y's entries, and w_S ⟂ v_i for i ∈ S. A code x of length c
    along w_S has F_i(x) = |y_i| at one slope of each wedge if ⟨x, ±v_i − tan α s_i v'_i⟩ =
    −tan α |y_i|, with s_i = sign⟨w_S, v'_i⟩. That is a line of codes for each of 2^s choices of
    slopes; this follows all of them and takes the first code outside all other wedges. The
    source takes +v_i, and any c that is large enough.

    Share of 300 random vectors (normal entries, uniform support, 50 networks) that have a code,
    that have one by the source's recipe with twice the least c, and (1 − 2α/π)^{2n−s}, the
    probability that w_S is in no other wedge:

        s    n      α     code   recipe   chance
        1    5    0.1     0.89     0.58     0.55
        2    5    0.1     0.91     0.47     0.59
        1   20    0.1     0.24     0.06     0.08
        2   20    0.1     0.33     0.04     0.08
        5   20    0.1     0.61     0.08     0.10
        1   20    0.01    0.96     0.74     0.78
        3   20    0.01    0.98     0.74     0.79
        5   20    0.01    1.00     0.75     0.80
        2  100    0.01    0.64     0.28     0.28
        5  100    0.01    0.90     0.26     0.29
        2  100    0.001   0.98     0.87     0.88
        5  100    0.001   0.99     0.87     0.88

    Other wedges cause 81 to 100 % of the recipe's failures. In the other failures the planes of its
    wedges are nearly dependent, so that its x is on the other side of a ridge. The source's
    α = n^{−8s} excludes both, but no float64 resolves it: heights have errors of about
    1e-16/tan α.

    Args:
        network: from `sparse_random_network`.
        signal: y, shape (n,), with at most s entries that are not 0. If it has fewer than s, one
            w_S of many is tried.

    Returns:
        x with G(x) = y to 1e-9 of the largest entry, exactly 0 where y is 0, shape (s + 1,); None
        if these lines hold no such code.

    Raises:
        ValueError: more than s entries are not 0.

    Source: Kamath, Karmalkar & Price 2020, Section 4.3.
    """
    pairs = wedges(network)
    k = pairs.normals.shape[1]
    support = check_support(signal, k - 1)
    if not support.size:
        return np.zeros(k)
    chosen = 2 * support + (signal[support] < 0)
    heights, largest = np.abs(signal[support]), np.abs(signal).max()
    center = _center(pairs.normals[chosen], pairs.ridges[chosen])
    tops = (pairs.ridges[chosen].T * np.sign(pairs.ridges[chosen] @ center)).T
    for sides in product((1.0, -1.0), repeat=support.size):
        edges = (pairs.normals[chosen].T * sides).T - pairs.slope * tops
        system = np.vstack([edges, center])
        wanted = np.zeros((k if support.size == k - 1 else support.size + 1, 2))
        wanted[:-1, 0], wanted[-1, 1] = -pairs.slope * heights / largest, 1.0
        # x = (offset + c direction)·max|y|, for any c.
        offset, direction = np.linalg.lstsq(system, wanted, rcond=None)[0].T
        codes = _between_edges(pairs, offset, direction)
        signals = network(codes)
        away = np.abs(signals - signal[:, None] / largest).max(axis=0)
        fits = (away < SAME) & ~np.delete(signals, support, axis=0).any(axis=0)
        if fits.any():
            return np.asarray(codes[:, np.argmax(fits)] * largest)
    return None


def _center(normals: Matrix, ridges: Matrix) -> Vector:
    """Give the unit vector w_S orthogonal to some normals, the nearest one to the ridges' sum."""
    kernel = np.linalg.svd(normals)[2][len(normals) :]
    center = kernel.T @ (kernel @ ridges.sum(axis=0))
    return np.asarray(center / np.linalg.norm(center))


def _between_edges(found: Wedges, offset: Vector, direction: Vector) -> Matrix:
    """Give codes along a line, as columns, one between each two edges or ridges on its way."""
    ends = []
    for side in (1.0, 0.0, -1.0):
        edges = found.normals + side * found.slope * found.ridges
        pace = edges @ direction
        # The line is parallel to the edges of the wedges that it was made for.
        meets = np.abs(pace) > PARALLEL * found.slope
        ends.append(-(edges[meets] @ offset) / pace[meets])
    crossings = np.unique(np.concatenate(ends))
    crossings = crossings[crossings > 0]
    # Not far after an edge, as longer codes have larger rounding errors.
    below, above = np.append(0.0, crossings), np.append(crossings, np.inf)
    lengths = np.minimum((below + above) / 2, np.where(below > 0, 2 * below, np.inf))
    lengths = lengths[np.isfinite(lengths)]
    return np.asarray(offset[:, None] + direction[:, None] * lengths)
