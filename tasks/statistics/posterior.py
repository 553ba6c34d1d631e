"""The posterior of a logistic transition with a ceiling, on a grid that is refined adaptively.

Success at x has probability (1 − δ)/(1 + (1 − 2δ) e^(−u)), u = ±(x − p)/s. That is 1 − δ times a
logistic curve, written so that it crosses ½ at p; the lapse δ < ½ is the distance of its ceiling
from 1.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEFAULT_DIRECTION = 1  # success rises with the position, as it does with measurements
TIE = 1e-9  # evidence below this, in nats, is rounding
MARGIN = 0.5  # prior range of the 50 % point beyond the outermost positions, in spans
SCALES = (0.001, 2.0)  # prior range of s: × the smallest gap (0.02 under-covers steps), × the span
LAPSES = np.array([0, 0.01, 0.03, 0.07, 0.13, 0.22, 0.34, 0.49])  # nodes over the prior's range
NO_LAPSE = 0.5  # prior probability that δ is 0; else its density falls linearly, as 1 − 2δ
NOTHING, FINER = 1e-20, 16  # negligible next to 1; interpolation nodes for each node of a marginal
FAR = 40.0  # |u| from which e^(−|u|) is negligible next to 1
MAX_ZOOMS = 12
SLIDE = 16  # steps by which a window grows where its edge is not low
WINDOW, BEST = 16.0, 64  # a zoom keeps the cells within 16 nats of the top, and the best 64
CORE = 8.0  # nats; ± 4 σ of a normal density


class Look(NamedTuple):
    """Nodes of an axis in a zoom, and how many of them must be within 8 nats to resolve it."""

    nodes: int
    core: int


OTHERS = (1, 2), (0, 2), (0, 1)  # for each axis of a grid, the other two
LOOKS = Look(18, 11), Look(44, 22), Look(44, 22)  # for the lapse, the 50 % point and the scale


class Counts(NamedTuple):
    """Sorted distinct positions x, with trials n and successes k at each; shapes (p,)."""

    x: Floats
    k: Floats
    n: Floats


class Grid(NamedTuple):
    """Nodes in δ, in the 50 % point and in log s, all increasing."""

    lapses: Floats
    points: Floats
    log_scales: Floats


class Posterior(NamedTuple):
    """Log Bayes factor, direction, and the probability of each cell (any scale), in Grid's axes."""

    evidence: float
    direction: int
    grid: Grid
    mass: Floats


def span_of(x: Floats) -> float:
    """Give the length that the positions cover; a single position x counts as |x|, or 1 at 0."""
    return float(np.ptp(x)) or abs(float(x[0])) or 1.0


def _prior_grid(x: Floats, floor: float) -> Grid:
    """Cover the prior's range, with several nodes in every gap of a possibly uneven grid."""
    span = span_of(x)
    gap = float(np.diff(x).min()) if x.size > 1 else span
    per_gap = min(32, max(2, 80 // x.size))
    inside = np.append(x[:-1][:: 1 + x.size // 160], x[-1])
    first = max(float(x[0]) - MARGIN * span, min(floor, float(x[0])))
    edges = np.concatenate([[first], inside, [x[-1] + MARGIN * span]])
    steps = np.full(edges.size - 1, per_gap)
    steps[[0, -1]] = 24
    inner = [np.linspace(a, b, m + 1) for a, b, m in zip(edges, edges[1:], steps, strict=False)]
    log_scales = np.linspace(math.log(SCALES[0] * gap), math.log(SCALES[1] * span), 32)
    return Grid(LAPSES, np.unique(np.concatenate(inner)), log_scales)


def _log_likelihood(counts: Counts, grid: Grid, direction: int) -> Floats:
    """Sum k ln p + (n − k) ln(1 − p) on the grid.

    With e₀ = e^min(u, 0), e₁ = e^(−max(u, 0)), of which one is 1 and neither overflows,
    p = (1 − δ) e₀/(e₀ + (1 − 2δ) e₁) and 1 − p = (δ e₀ + (1 − 2δ) e₁)/(e₀ + (1 − 2δ) e₁).
    """
    inverse = direction * np.exp(-grid.log_scales)
    lapse = grid.lapses[:, None, None]
    total = np.zeros((grid.lapses.size, grid.points.size, grid.log_scales.size))
    total += counts.k.sum() * np.log1p(-lapse)
    for x, k, n in zip(*counts, strict=True):
        u = (x - grid.points)[:, None] * inverse
        small = np.exp(-np.minimum(np.abs(u), FAR))
        rising, falling = np.where(u > 0, 1.0, small), np.where(u > 0, small, 1.0)
        bent = (1 - 2 * lapse) * falling
        whole = bent + rising
        bent += lapse * rising
        if k == 0:
            total += n * np.log(bent / whole)
        else:
            total += k * np.minimum(u, 0)
            total -= n * np.log(whole)
            if k < n:
                total += (n - k) * np.log(bent)
        if grid.lapses[0] == 0:
            total[0] -= (n - k) * np.maximum(u - FAR, 0)
    return total


def posterior(counts: Counts, fixed: int | None, floor: float = -math.inf) -> Posterior:
    """Weigh rising against falling on the prior's grid, then zoom until the grid resolves.

    Args:
        counts: the outcomes.
        fixed: the direction, +1 or −1; None takes the more probable one.
        floor: lower bound of the 50 % point; its prior is flat from there.

    Raises:
        ValueError: the fixed direction is not +1, −1 or None.
    """
    if fixed not in (None, 1, -1):
        raise ValueError(f"direction is {fixed!r}; it must be +1, −1 or None.")
    grid = prior = _prior_grid(counts.x, floor)
    both = {sign: _log_likelihood(counts, grid, sign) for sign in (1, -1)}
    constant = counts.k.sum() in (0, counts.n.sum())
    evidence = 0.0 if constant else _log_sum(both[1], grid) - _log_sum(both[-1], grid)
    if abs(evidence) < TIE:
        evidence = 0.0
    direction = fixed or int(np.sign(evidence)) or DEFAULT_DIRECTION
    log_density = both[direction]
    for _ in range(MAX_ZOOMS):
        log_density = log_density - log_density.max()
        depth = max(WINDOW, -float(np.partition(log_density, -BEST, axis=None)[-BEST]))
        looks = [
            _zoomed(nodes, log_density.max(axis=others), whole, depth, look)
            for nodes, others, whole, look in zip(grid, OTHERS, prior, LOOKS, strict=True)
        ]
        if all(resolved for _, resolved in looks):
            break
        grid = Grid(*(nodes for nodes, _ in looks))
        log_density = _log_likelihood(counts, grid, direction)
    return Posterior(
        evidence, direction, grid, np.exp(log_density - log_density.max()) * _weights(grid)
    )


def _log_sum(log_density: Floats, grid: Grid) -> float:
    """Integrate over the prior, in logs."""
    top = float(log_density.max())
    return top + math.log(float((np.exp(log_density - top) * _weights(grid)).sum()))


def _weights(grid: Grid) -> Floats:
    """Weigh the cells by the prior and for the trapezoidal rule."""
    density, sitting = _lapse_prior(grid.lapses)
    lapses = density * cells(grid.lapses) + sitting
    weights: Floats = lapses[:, None, None] * cells(grid.points)[:, None] * cells(grid.log_scales)
    return weights


def _lapse_prior(lapses: Floats) -> tuple[Floats, Floats]:
    """Give the prior of δ at its nodes: the density, and the probability of single nodes."""
    return (1 - NO_LAPSE) * 4 * (1 - 2 * lapses), np.where(lapses == 0, NO_LAPSE, 0.0)


def _zoomed(
    nodes: Floats, profile: Floats, prior: Floats, depth: float, look: Look
) -> tuple[Floats, bool]:
    """Choose the next nodes of one axis from its log posterior profile (maximum 0).

    A resolved axis keeps its nodes where the posterior is. Any other axis gets finer nodes over
    those within `depth` nats of the top and a little beyond, until they change little. (On a narrow
    oblique ridge the best cell alone is only the cell that the ridge happens to hit.)

    Returns:
        The nodes, and whether the axis is resolved.
    """
    kept = np.flatnonzero(profile >= -depth)
    first, last = kept[0], kept[-1]
    below, above = max(first, 1), min(last, nodes.size - 2)
    before, after = (2 if first > 0 else SLIDE), (2 if last < nodes.size - 1 else SLIDE)
    left = max(prior[0], nodes[first] - before * (nodes[below] - nodes[below - 1]))
    right = min(prior[-1], nodes[last] + after * (nodes[above + 1] - nodes[above]))
    closed = (first > 0 or left == nodes[0]) and (last < nodes.size - 1 or right == nodes[-1])
    if closed and np.count_nonzero(profile > -CORE) >= look.core:
        return nodes[max(first - 1, 0) : last + 2], True
    finer = np.linspace(float(left), float(right), look.nodes)
    settled = nodes.size == look.nodes and np.abs(finer - nodes).max() <= finer[1] - finer[0]
    return finer, settled


def cells(nodes: Floats) -> Floats:
    """Weigh the nodes for the trapezoidal rule."""
    steps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    return (steps[1:] + steps[:-1]) / 2


def quantiles(found: Posterior, levels: Floats) -> tuple[Floats, Floats, Floats]:
    """Invert the marginal distribution functions of δ, of the 50 % point and of log s."""
    sums = [found.mass.sum(axis=others) for others in OTHERS]
    prior, sitting = _lapse_prior(found.grid.lapses)
    likelihood = sums[0] / (prior * cells(found.grid.lapses) + sitting)
    return (
        _inverted(found.grid.lapses, likelihood * prior, levels, float(likelihood @ sitting)),
        _inverted(found.grid.points, sums[1] / cells(found.grid.points), levels),
        _inverted(found.grid.log_scales, sums[2] / cells(found.grid.log_scales), levels),
    )


def ends_open(found: Posterior, counts: Counts, floor: float, tail: float) -> tuple[bool, bool]:
    """Tell whether the prior, not the outcomes, ends the posterior of the 50 % point, low and high.

    That is so where half a span more of the prior, with the posterior density at that end, would
    hold more than `tail`, the probability beyond an end of the interval. A floor is a true end.
    """
    reach = MARGIN * span_of(counts.x)
    first, last = float(counts.x[0]) - reach, float(counts.x[-1]) + reach
    points = found.grid.points
    density = found.mass.sum(axis=OTHERS[1]) / cells(points)
    limit = tail * float(density @ cells(points)) / reach
    near = 1e-9 * reach
    low = floor < first and points[0] <= first + near and density[0] > limit
    return bool(low), bool(points[-1] >= last - near and density[-1] > limit)


def _inverted(nodes: Floats, density: Floats, levels: Floats, first: float = 0.0) -> Floats:
    """Invert a distribution function; the first node itself has the probability `first`.

    Between the nodes the density is interpolated in logs, where a normal density is a parabola.
    """
    from scipy.interpolate import Akima1DInterpolator

    logs = np.log(np.maximum(density / density.max(), NOTHING))
    fine = np.linspace(nodes[0], nodes[-1], FINER * nodes.size)
    smooth = density.max() * np.exp(Akima1DInterpolator(nodes, logs)(fine))
    below = np.cumsum(np.concatenate([[first], np.diff(fine) * (smooth[1:] + smooth[:-1]) / 2]))
    return np.asarray(np.interp(levels * below[-1], below, fine), dtype=float)
