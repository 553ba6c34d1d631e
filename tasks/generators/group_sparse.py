"""A generator of nonnegative vectors with one entry a group: tents on a half-line of codes."""

from __future__ import annotations

from math import frexp
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..numerics.network import Network, Vector
from .base import Generator
from .shapes import Shape, made_of_sparsity
from .sparse import sparse_rows

if TYPE_CHECKING:
    from ..point import Point


class GroupSparse(Generator):
    """R^{s+1} → R^n with s groups of n/s entries; widths (s+1)–2n–n, a ReLU after each layer.

    With a Gaussian start, only 6 % of the groups are at a tent (s = 1, 5, 10; n = 20, 100), and the
    loss has no slope elsewhere: use solver.start 'prior'.

    Source: Qiu, Wei & Yang 2020, Proposition 4.4.
    """

    name: ClassVar[str] = "group-sparse"
    uses: ClassVar[tuple[str, ...]] = ("sparsity",)
    shape: ClassVar[Shape | None] = made_of_sparsity(lambda s, n: (s + 1, (s + 1, 2 * n)))
    unique_codes: ClassVar[bool] = False

    @classmethod
    def draw(cls, random: np.random.Generator, point: Point) -> Network:
        """Make the network; nothing is drawn, as the weights follow from s and n."""
        return group_sparse_network(point.sparsity, point.n)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse groups of different sizes."""
        check_groups(point.sparsity, point.n)

    @classmethod
    def curvature(cls, point: Point) -> float:
        """Give 1 + (4/3) s (n/s + 1)², mostly from the last coordinate, which moves all tents.

        A tent at place r falls by 2r + 2 in z, at most twice as much as the mean square over r. The
        default step times the largest eigenvalue was at most 0.52 in 200 codes of group-sparse
        vectors each for s = 1 … 25 and n = 20 … 100, and 0.22 in Gaussian ones; the bound is 2.
        """
        return 1 + 4 / 3 * point.sparsity * (point.n / point.sparsity + 1) ** 2

    @classmethod
    def draw_code(cls, random: np.random.Generator, network: Network, point: Point) -> Vector:
        """Draw a code of a vector with one entry in each group, at a uniform place, |normal|."""
        groups, size = point.sparsity, point.n // point.sparsity
        signal = np.zeros((groups, size))
        places = random.integers(size, size=groups)
        signal[np.arange(groups), places] = np.abs(random.standard_normal(groups))
        return group_sparse_code(signal.ravel(), groups)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count at most 6n + s + 1 weights, with their columns, held twice while they are made."""
        return 3 * (6 * point.n + point.sparsity + 1) + 2 * sum(point.widths)


def check_groups(sparsity: int, n: int) -> None:
    """Refuse groups of different sizes.

    Raises:
        ValueError: n is no multiple of s.
    """
    if n % sparsity:
        raise ValueError(
            f"n = {n} is no multiple of sparsity = {sparsity}, and all groups have n/s entries; "
            f"give n = {n - n % sparsity or sparsity} or {n - n % sparsity + sparsity}."
        )


def group_sparse_network(sparsity: int, n: int) -> Network:
    """Make the group-sparse generator: Γ_r(x_i, z), groups i = 1 … s, places r = 1 … n/s.

    Γ_r = relu(Υ_r − 2Υ'_r), Υ_r = relu(relu(x_i) − 2 relu(rz)), Υ'_r = relu(relu(x_i) − 2 relu(rz)
    − relu(z)). For z > 0 it is a tent on 2rz < x_i < (2r + 2)z of height z in its middle; for z ≤ 0
    it is 0.

    So the range is exactly the nonnegative vectors with at most one entry in each group, of any
    norm: heights reach up to z, which is free. The source claims those of norm at most 1 with
    exactly one entry in each group. Its first layer has a unit for each multiple of z; one is
    enough here, as relu(rz) = r relu(z).

    Args:
        sparsity: s, number of groups.
        n: signal dimension, a multiple of s.

    Returns:
        A network of widths (s+1)–2n–n, with s + 1 coordinates x_1 … x_s, z in the code.

    Raises:
        ValueError: n is no multiple of s.

    Source: Qiu, Wei & Yang 2020, Proposition 4.4.
    """
    check_groups(sparsity, n)
    size = n // sparsity
    groups, places = np.divmod(np.arange(n), size)
    starts = 2.0 * (places + 1)
    columns = np.stack([groups, np.full(n, sparsity)], axis=-1)
    ones = np.ones(n)
    slopes = np.stack([ones, -starts, ones, -starts - 1], axis=-1)
    return Network(
        (
            sparse_rows(np.arange(sparsity + 1)[:, None], 1.0, sparsity + 1),
            sparse_rows(np.repeat(columns, 2, axis=0), slopes.reshape(-1, 2), sparsity + 1),
            sparse_rows(np.arange(2 * n).reshape(n, 2), [1.0, -2.0], 2 * n),
        )
    )


def group_sparse_code(signal: Vector, sparsity: int) -> Vector:
    """Give a code of a nonnegative vector with at most one entry in each group.

    Entries lie on the falling side of their tents, x_i = (2r + 2)z − y_r, and z is a power of two,
    so that all ends of tents are exact: where y is 0, G(x) is 0, whatever the ratio of its entries.

    Args:
        signal: y, shape (n,), in s groups of n/s.
        sparsity: s.

    Returns:
        x_1 … x_s, z with G(x) = y, shape (s + 1,), up to rounding of (2n/s + 2) max y.

    Raises:
        ValueError: an entry is negative, a group has several, or n is no multiple of s.

    Source: Qiu, Wei & Yang 2020, Proposition 4.4.
    """
    check_groups(sparsity, signal.size)
    groups = signal.reshape(sparsity, -1)
    if (signal < 0).any() or (np.count_nonzero(groups, axis=1) > 1).any():
        raise ValueError(
            "the signal has a negative entry, or a group with several; give one that is "
            "nonnegative, with at most one in each group."
        )
    heights = groups.max(axis=1)
    fraction, exponent = frexp(heights.max())
    top = 2.0**exponent if fraction else 0.0
    codes = np.where(heights > 0, 2.0 * (groups.argmax(axis=1) + 2) * top - heights, 0.0)
    return np.append(codes, top)
