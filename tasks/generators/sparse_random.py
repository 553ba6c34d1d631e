"""A generator of sparse vectors from random wedges, narrower than the explicit one."""

from itertools import product
from math import pi, sin, tan
from typing import ClassVar, NamedTuple

import numpy as np

from ...sweeps import Point
from ...sweeps.shapes import Shape, made_of_sparsity
from ..network import Matrix, Network, Vector
from .base import Generator
from .sparse import check_support, draw_sparse, sparse_rows

MAX_CODE_DRAWS = 1000
# Below this share of vectors with a code, drawing one would take too long or never end.
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
        """Draw the pairs."""
        return sparse_random_network(random, point.sparsity, point.n, point.wedge_angle)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse wedges so wide that hardly any sparse vector has a code, or too many of them."""
        if point.sparsity > MOST_SPARSITY:
            raise ValueError(
                f"sparsity is {point.sparsity}, and generator 'sparse-random' takes at most "
                f"{MOST_SPARSITY}: a code is looked for along 2^sparsity lines."
            )
        share = clear_share(point.sparsity, point.n, point.wedge_angle)
        if share < LEAST_SHARE:
            raise ValueError(
                f"'wedge_angle' {point.wedge_angle:g} is too wide at n = {point.n}: only "
                f"{share:.1g} of sparse vectors keep clear of other wedges, and at least "
                f"{LEAST_SHARE:g} must; lower it to 1/n = {1 / point.n:.2g}."
            )

    @classmethod
    def curvature(cls, point: Point) -> float:
        """max(1, q/(s + 1))/sin²α, with q = 4nα/π wedges met by a random code.

        A wedge's slope is 1/sin α, in a direction of its own, so that the eigenvalues of q of them
        have the mean q/(s + 1) squares of it. The default step times the largest one was at most
        0.94 in 400 Gaussian codes each for s = 1, 2, 3, 5, n = 5 … 100 and α = 0.001 … 0.1, and
        0.60 in codes of s-sparse vectors; 2 is the bound.
        """
        met = 4 * point.n * point.wedge_angle / pi
        return max(1.0, met / (point.sparsity + 1)) / sin(point.wedge_angle) ** 2

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """A code of a vector with a uniform support of s normal entries, the first that has one.

        Raises:
            ArithmeticError: none in a thousand has.
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
        """At most what 8n(s + 1) + 10n weights are, with their columns and what makes them."""
        return 4 * point.n * (8 * (point.sparsity + 1) + 10) + 2 * sum(point.widths)


class Wedges(NamedTuple):
    """What the wedges of a random sparse generator are.

    Attributes:
        normals: v_1 … v_2n, unit vectors, shape (2n, s + 1).
        ridges: v'_1 … v'_2n, unit vectors with v'_i ⟂ v_i.
        slope: tan α.
    """

    normals: Matrix
    ridges: Matrix
    slope: float


def clear_share(sparsity: int, n: int, wedge_angle: float) -> float:
    """Probability (1 − 2α/π)^{2n−s} that a random code lies in none of 2n − s other wedges."""
    return float((1 - 2 * wedge_angle / pi) ** (2 * n - sparsity))


def sparse_random_network(
    random: np.random.Generator, sparsity: int, n: int, wedge_angle: float
) -> Network:
    """Draw the random generator: G_i = F_{2i−1} − F_{2i} for i = 1 … n.

    F_i(x) = relu( |⟨x, v'_i⟩| − |⟨x, v_i⟩|/tan α ), |u| = relu(u) + relu(−u), is positive exactly
    where x is within the angle α of ±v'_i in the plane of v'_i ⟂ v_i, and 0 elsewhere; G is even.

    The source prints F_i as [⟨x, tan α v'_i + v_i⟩]_+ − 2[⟨x, v_i⟩]_+ + [⟨x, tan α v'_i − v_i⟩]_+ −
    2[⟨x, −v_i⟩]_+. That is positive at v'_i alone, not at −v'_i, and negative almost everywhere
    else, while its Facts 4.2 and 4.3 need both sides and zeros outside. Its G_i = F_{2i} − F_{2i+1}
    would end at a pair 2n + 1.

    Args:
        random: stream the pairs are drawn from.
        sparsity: s.
        n: signal dimension.
        wedge_angle: α, rad.

    Returns:
        Widths 8n–2n–n, and s + 1 coordinates in the code.

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
            # Sparse, though it has no zeros: rows r and −r add up in the same order only so, and
            # G is exactly even.
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
    """Read the wedges off a network of `sparse_random_network`."""
    first, second = network.weights[:2]
    lines = first @ np.eye(first.shape[1])
    third = np.zeros(second.shape[1])
    third[2] = 1.0
    steepness = -float((second @ third)[0])
    return Wedges(lines[2::4], lines[0::4], 1 / steepness)


def sparse_random_code(network: Network, signal: Vector) -> Vector | None:
    """Look for a code that a random generator maps to a sparse vector.

    S are the pairs for the signs of y's entries, and w_S ⟂ v_i for i ∈ S. A code x of length c
    along w_S has F_i(x) = |y_i| at one slope of each wedge if ⟨x, ±v_i − tan α s_i v'_i⟩ =
    −tan α |y_i|, with s_i = sign⟨w_S, v'_i⟩. That is a line of codes for each of 2^s choices of
    slopes; this walks along all of them and takes the first code outside of all other wedges. The
    source takes +v_i, and any c that is large enough.

    Share of 300 random vectors (normal entries, uniform support, 50 networks) that have a code,
    that have one by the source's recipe with twice the least c, and (1 − 2α/π)^{2n−s}, the chance
    that w_S lies in no other wedge:

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

    Other wedges are why the recipe fails in 81 to 100 % of its failures. In the others the planes
    of its wedges are nearly dependent, so that its x lies beyond a ridge. The source's α = n^{−8s}
    rules both out, but no float64 resolves it: heights are off by about 1e-16/tan α.

    Args:
        network: from `sparse_random_network`.
        signal: y, shape (n,), with at most s entries that are not 0. Of fewer than s, one w_S of
            many is tried.

    Returns:
        x with G(x) = y to 1e-9 of the largest entry, exactly 0 where y is, shape (s + 1,); None if
        there is none on these lines.

    Raises:
        ValueError: there are more entries.

    Source: Kamath, Karmalkar & Price 2020, Section 4.3.
    """
    found = wedges(network)
    k = found.normals.shape[1]
    support = check_support(signal, k - 1)
    if not support.size:
        return np.zeros(k)
    chosen = 2 * support + (signal[support] < 0)
    heights, largest = np.abs(signal[support]), np.abs(signal).max()
    center = _center(found.normals[chosen], found.ridges[chosen])
    tops = (found.ridges[chosen].T * np.sign(found.ridges[chosen] @ center)).T
    for sides in product((1.0, -1.0), repeat=support.size):
        edges = (found.normals[chosen].T * sides).T - found.slope * tops
        system = np.vstack([edges, center])
        wanted = np.zeros((k if support.size == k - 1 else support.size + 1, 2))
        wanted[:-1, 0], wanted[-1, 1] = -found.slope * heights / largest, 1.0
        # x = (offset + c direction)·max|y|, for any c.
        offset, direction = np.linalg.lstsq(system, wanted, rcond=None)[0].T
        codes = _between_edges(found, offset, direction)
        signals = network(codes)
        away = np.abs(signals - signal[:, None] / largest).max(axis=0)
        fits = (away < SAME) & ~np.delete(signals, support, axis=0).any(axis=0)
        if fits.any():
            return np.asarray(codes[:, np.argmax(fits)] * largest)
    return None


def _center(normals: Matrix, ridges: Matrix) -> Vector:
    """The unit vector w_S orthogonal to some normals; of many, the nearest to their ridges' sum."""
    kernel = np.linalg.svd(normals)[2][len(normals) :]
    center = kernel.T @ (kernel @ ridges.sum(axis=0))
    return np.asarray(center / np.linalg.norm(center))


def _between_edges(found: Wedges, offset: Vector, direction: Vector) -> Matrix:
    """Codes along a line, one between each two edges or ridges that it crosses, as columns."""
    ends = []
    for side in (1.0, 0.0, -1.0):
        edges = found.normals + side * found.slope * found.ridges
        pace = edges @ direction
        # The line keeps to the edges of the wedges that it was made for.
        meets = np.abs(pace) > PARALLEL * found.slope
        ends.append(-(edges[meets] @ offset) / pace[meets])
    crossings = np.unique(np.concatenate(ends))
    crossings = crossings[crossings > 0]
    # Not much behind an edge, for long codes are rounded more.
    below, above = np.append(0.0, crossings), np.append(crossings, np.inf)
    lengths = np.minimum((below + above) / 2, np.where(below > 0, 2 * below, np.inf))
    lengths = lengths[np.isfinite(lengths)]
    return np.asarray(offset[:, None] + direction[:, None] * lengths)
