"""Quantities of a success curve, averaged over the cells of all its models.

A cell is a box: its middle c and its ln s are spread over the distance to the neighbouring nodes.
So is every quantity that is computed from them, which makes its distribution function continuous.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .links import LINKS, Floats
from .posterior import MARGIN, Fitted, lapse_prior, lengths, span_of

NOTHING, FINER = 1e-20, 16  # negligible next to 1; boxes for each node of the lapse
SHORTEST = 1e-9  # length of a box
UNSEEN = 1e-4  # cells below this part of the largest one do not enter


class Mixture:
    """The posterior of a transition, averaged over its models.

    Attributes:
        fits: the models, each with its posterior.
        weights: posterior probability of each model.
    """

    def __init__(self, fits: Sequence[Fitted], direction: int, positions: Floats):
        self.fits, self.direction = fits, direction
        evidences = np.array([fit.evidence for fit in fits])
        weights = np.exp(evidences - evidences.max())
        self.weights = weights / weights.sum()
        shares = [w * fit.mass for w, fit in zip(self.weights, fits, strict=True)]
        least = UNSEEN * max(float(share.max()) for share in shares)
        self._cells = [
            _Cells(fit, share, least, direction) for fit, share in zip(fits, shares, strict=True)
        ]
        self._mass = np.concatenate([cells.mass for cells in self._cells])
        self._middle = float(positions[0] + positions[-1]) / 2
        self._span = span_of(positions)

    @property
    def best(self) -> Fitted:
        """The most probable model."""
        return self.fits[int(np.argmax(self.weights))]

    def points(self, success: float, levels: Floats) -> Floats:
        """Give quantiles of where success is this probability; ±∞ where it never is."""
        # Models of a logarithmic axis have even boxes in the logarithm, which may be far shorter
        # than the positions' span; the others in the position.
        parts = []
        for is_log in {cells.is_log for cells in self._cells}:
            cells = [cells for cells in self._cells if cells.is_log == is_log]
            ends = zip(*(part.points(success) for part in cells), strict=True)
            there, back = (_log, np.exp) if is_log else (self._drawn_in, self._drawn_out)
            first, last = (there(np.concatenate(end)) for end in ends)
            found = _Distribution.of(first, last, np.concatenate([part.mass for part in cells]))
            parts.append((found, there, back(found.edges)))
        edges = np.unique(np.concatenate([at for _, _, at in parts]))
        total = _Distribution(
            edges,
            np.sum([found.below_at(there(edges)) for found, there, _ in parts], axis=0),
            sum(found.low for found, _, _ in parts),
            sum(found.high for found, _, _ in parts),
        )
        return total.quantiles(levels * float(self._mass.sum()))

    def draws(self, shares: Floats) -> "CurveDraws":
        """Draw curves, spread evenly over their 50 % point.

        Args:
            shares: between 0 and 1: a curve with this share of the probability below its 50 %
                point is drawn; shape (d,).
        """
        columns = zip(*(cells.drawn() for cells in self._cells), strict=True)
        point, at_half, scale, is_log = map(np.concatenate, columns)
        order = np.argsort(point, kind="stable")
        total = np.cumsum(self._mass[order])
        found = np.searchsorted(total, shares * total[-1])
        chosen = order[found.clip(0, order.size - 1)]
        return CurveDraws(point[chosen], at_half[chosen], scale[chosen], is_log[chosen])

    def _drawn_in(self, x: Floats) -> Floats:
        """Map to a scale on which far points are not far: lengths of boxes then differ less."""
        return np.asarray(np.arcsinh((x - self._middle) / self._span), dtype=float)

    def _drawn_out(self, y: Floats) -> Floats:
        """Map back from that scale."""
        return np.asarray(self._middle + self._span * np.sinh(y), dtype=float)

    def widths(self, levels: Floats) -> Floats:
        """Give quantiles of the length from 10 to 90 % of the ceiling."""
        return self._lengths(lambda cells: cells.widths(), levels)

    def log_widths(self, levels: Floats) -> Floats:
        """Give quantiles of the same length in the logarithm of the position."""
        return self._lengths(lambda cells: cells.log_widths(), levels)

    def lapses(self, levels: Floats) -> Floats:
        """Give quantiles of the lapse δ, which is 0 with a probability of its own."""
        parts = [_lapse_boxes(fit) for fit in self.fits]
        first, last = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        masses = [weight * part[2] for weight, part in zip(self.weights, parts, strict=True)]
        none = sum(w * part[3] for w, part in zip(self.weights, parts, strict=True))
        found = np.zeros(levels.shape)
        some = levels > none
        if some.any():
            found[some] = box_quantiles(
                first, last, np.concatenate(masses), (levels[some] - none) / (1 - none)
            )
        return found

    def success_at(self, x: float, levels: Floats) -> Floats:
        """Give quantiles of the success probability at a position."""
        first, last = self._ends(lambda cells: cells.success_at(x))
        return box_quantiles(first, last, self._mass, levels)

    def ends_open(self, tail: float, floor: float) -> tuple[bool, bool]:
        """Tell whether the prior ends the posterior of the 50 % point, low and high.

        That is so where half a span more of the prior, with the posterior density at that end,
        would hold more than `tail`, the probability beyond an end of the interval. A floor is a
        true end.
        """
        low = high = 0.0
        for weight, fit in zip(self.weights, self.fits, strict=True):
            middles, (first, last) = fit.grid.middles, fit.ends
            reach = (last - first) * MARGIN / (1 + 2 * MARGIN)
            density = fit.mass.sum(axis=(0, 2)) / lengths(middles)
            near = 1e-9 * (last - first)
            if middles[0] <= first + near and (fit.model.is_log or floor < first):
                low += weight * float(density[0]) * reach
            if middles[-1] >= last - near:
                high += weight * float(density[-1]) * reach
        return low > tail, high > tail

    def below(self, ceiling: float) -> float:
        """Give the probability that the ceiling is below a level."""
        lapse = np.concatenate([cells.lapse.at for cells in self._cells])
        return float(self._mass[1 - lapse < ceiling].sum() / self._mass.sum())

    def _lengths(
        self, quantity: Callable[["_Cells"], tuple[Floats, Floats]], levels: Floats
    ) -> Floats:
        """Give quantiles of a positive quantity."""
        first, last = map(np.log, self._ends(quantity))
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(box_quantiles(first, last, self._mass, levels)), dtype=float)

    def _ends(self, quantity: Callable[["_Cells"], tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
        """Give both ends of the boxes of all cells."""
        first, last = zip(*map(quantity, self._cells), strict=True)
        return np.concatenate(first), np.concatenate(last)


class _Cells:
    """The cells of one model that enter, each a box in δ, c and ln s."""

    def __init__(self, fit: Fitted, mass: Floats, least: float, direction: int):
        self.link, self.is_log = fit.model
        self.direction = direction
        kept = np.nonzero(mass > least)
        self.mass = mass[kept]
        lapses, middles, log_scales = (
            _Box(nodes[index], *(end[index] for end in _box_ends(nodes)))
            for nodes, index in zip(fit.grid, kept, strict=True)
        )
        self.lapse, self.middle = lapses, middles
        self.scale = _Box(*map(np.exp, log_scales))

    def points(self, success: float) -> tuple[Floats, Floats]:
        """Give both ends of the boxes of the position where success is this probability."""
        share = success / (1 - self.lapse.at)
        reached = share < 1
        ahead = self.direction * self.link.inverse(np.where(reached, share, 0.5))
        low, high = self._positions(ahead)
        never = self.direction * math.inf
        return np.where(reached, low, never), np.where(reached, high, never)

    def drawn(self) -> tuple[Floats, ...]:
        """Give the 50 % point of each cell, as position and on its scale, s and that scale."""
        ahead = self.direction * self.link.inverse(0.5 / (1 - self.lapse.at))
        at_half = self.middle.at + ahead * self.scale.at
        with np.errstate(over="ignore"):
            point = np.exp(at_half) if self.is_log else at_half
        scale = self.scale.at * self.link.width / LINKS[0].width
        return point, at_half, scale, np.full(point.shape, self.is_log)

    def widths(self) -> tuple[Floats, Floats]:
        """Give both ends of the boxes of the length from 10 to 90 % of the ceiling."""
        if not self.is_log:
            return self.link.width * self.scale.low, self.link.width * self.scale.high
        first, last = self._ends()

        def length(scale: Floats) -> Floats:
            with np.errstate(over="ignore"):
                found = np.exp(self.middle.at) * (np.exp(last * scale) - np.exp(first * scale))
            return np.asarray(found, dtype=float)

        return length(self.scale.low), length(self.scale.high)

    def log_widths(self) -> tuple[Floats, Floats]:
        """Give both ends of the boxes of the same length in the logarithm of the position."""
        if self.is_log:
            return self.link.width * self.scale.low, self.link.width * self.scale.high
        first, last = self._ends()

        def length(scale: Floats) -> Floats:
            low, high = self.middle.at + first * scale, self.middle.at + last * scale
            found = np.full(low.shape, math.inf)
            np.log(high / np.where(low > 0, low, 1), out=found, where=low > 0)
            return found

        return length(self.scale.low), length(self.scale.high)

    def success_at(self, x: float) -> tuple[Floats, Floats]:
        """Give both ends of the boxes, in δ, of the success probability at a position."""
        t = math.log(x) if self.is_log else x
        value = self.link.parts(self.direction * (t - self.middle.at) / self.scale.at).value
        return (1 - self.lapse.high) * value, (1 - self.lapse.low) * value

    def _ends(self) -> tuple[float, float]:
        """Give the arguments at the lower and the higher position of 10 and 90 %."""
        first, last = np.sort(self.direction * self.link.inverse(np.array([0.1, 0.9])))
        return float(first), float(last)

    def _positions(self, ahead: Floats) -> tuple[Floats, Floats]:
        """Give both ends of the boxes of the position that is `ahead` scales from the middle."""
        near, far = ahead * self.scale.low, ahead * self.scale.high
        low = self.middle.low + np.minimum(near, far)
        high = self.middle.high + np.maximum(near, far)
        with np.errstate(over="ignore"):
            return (np.exp(low), np.exp(high)) if self.is_log else (low, high)


class CurveDraws(NamedTuple):
    """Curves drawn from a posterior; all of shape (d,).

    Attributes:
        point: the 50 % point.
        at_half: the same, or its logarithm where the curve is one of the logarithm.
        scale: the scale s of a logistic curve of the same 10–90 % width, in the same units.
        is_log: whether the curve is one of the logarithm.
    """

    point: Floats
    at_half: Floats
    scale: Floats
    is_log: NDArray[np.bool_]

    def beside(self, scales: Floats) -> Floats:
        """Give the position that is so many logistic scales from each 50 % point."""
        at = self.at_half + scales * self.scale
        with np.errstate(over="ignore"):
            return np.where(self.is_log, np.exp(at), at)


class _Box(NamedTuple):
    """Nodes, and the ends of their boxes."""

    at: Floats
    low: Floats
    high: Floats


def _box_ends(nodes: Floats) -> tuple[Floats, Floats]:
    """End the boxes of nodes half-way to their neighbours; the outermost end at the node."""
    middles = (nodes[1:] + nodes[:-1]) / 2
    return np.append(nodes[0], middles), np.append(middles, nodes[-1])


def _lapse_boxes(fit: Fitted) -> tuple[Floats, Floats, Floats, float]:
    """Give the marginal distribution of the lapse of one model.

    Returns:
        Ends and probabilities of narrow boxes, and the probability that δ is 0.
    """
    from scipy.interpolate import Akima1DInterpolator

    nodes = fit.grid.lapses
    density, sitting = lapse_prior(nodes)
    weights = density * lengths(nodes) + sitting
    marginal = fit.mass.sum(axis=(1, 2)) / weights
    none = float(marginal @ sitting)
    # Between the nodes the density is interpolated in logs, where a normal density is a parabola.
    logs = np.log(np.maximum(marginal * density / marginal.max(), NOTHING))
    edges = np.linspace(nodes[0], nodes[-1], FINER * nodes.size + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    fine = np.exp(Akima1DInterpolator(nodes, logs)(middles))
    return edges[:-1], edges[1:], (1 - none) * fine / fine.sum(), none


def box_quantiles(first: Floats, last: Floats, mass: Floats, levels: Floats) -> Floats:
    """Give quantiles of a sum of boxes.

    Args:
        first: lower ends of the boxes, shape (boxes,).
        last: upper ends; a box without length is a jump, and one at ±∞ stays there.
        mass: their probabilities, shape (boxes,).
        levels: shape (l,).
    """
    return _Distribution.of(first, last, mass).quantiles(levels * float(mass.sum()))


class _Distribution(NamedTuple):
    """A distribution function, linear between its edges.

    Attributes:
        edges: increasing, shape (e,).
        below: probability below each edge.
        low: probability of −∞.
        high: probability of ∞.
    """

    edges: Floats
    below: Floats
    low: float
    high: float

    @classmethod
    def of(cls, first: Floats, last: Floats, mass: Floats) -> "_Distribution":
        """Add up boxes; see `box_quantiles`."""
        low, high = float(mass[first == -math.inf].sum()), float(mass[last == math.inf].sum())
        finite = np.isfinite(first) & np.isfinite(last)
        first, last, mass = first[finite], last[finite], mass[finite]
        last = np.maximum(last, first + SHORTEST * np.maximum(1, np.abs(first)))
        slope = mass / (last - first)
        edges = np.concatenate([first, last])
        order = np.argsort(edges)
        edges = edges[order]
        slopes = np.cumsum(np.concatenate([slope, -slope])[order])
        rises = np.cumsum(
            np.concatenate([np.zeros(min(edges.size, 1)), slopes[:-1] * np.diff(edges)])
        )
        return cls(edges, low + np.maximum.accumulate(rises), low, high)

    def below_at(self, points: Floats) -> Floats:
        """Give the probability below each point."""
        if not self.edges.size:
            return np.full(points.shape, self.low)
        return np.interp(points, self.edges, self.below)

    def quantiles(self, wanted: Floats) -> Floats:
        """Give the points below which these probabilities are."""
        if not self.edges.size:
            return np.where(wanted <= self.low, -math.inf, math.inf)
        found = np.interp(wanted, self.below, self.edges)
        found = np.where(wanted <= self.low, -math.inf if self.low else found, found)
        last = float(self.below[-1])
        return np.where((self.high > 0) & (wanted > last), math.inf, found)


def _log(x: Floats) -> Floats:
    """Give logarithms, and −∞ from 0 down."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(x, 0)), dtype=float)
