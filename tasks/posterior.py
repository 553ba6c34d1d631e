"""The posterior of a logistic transition on a grid that zooms until it resolves it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEFAULT_DIRECTION = 1  # success rises with the position, as it does with measurements
TIE = 1e-9  # evidence below this, in nats, is rounding
MARGIN = 0.5  # prior range of the centre beyond the outermost positions, in spans
SCALES = (0.001, 2.0)  # prior range of s: × the smallest gap (0.02 under-covers steps), × the span
ZOOM_NODES, MAX_ZOOMS = 64, 12
SLIDE = 16  # steps by which a window grows where its edge is not low
WINDOW, BEST = 16.0, 64  # a zoom keeps the cells within 16 nats of the top, and the best 64
CORE, CORE_NODES = 8.0, 24  # an axis is resolved with 24 nodes within 8 nats (± 4 σ)


class Counts(NamedTuple):
    """Sorted distinct positions x, with trials n and successes k at each."""

    x: Floats
    k: Floats
    n: Floats


class Grid(NamedTuple):
    """Nodes in the centre and in log s, both increasing."""

    centres: Floats
    log_scales: Floats


class Posterior(NamedTuple):
    """Log Bayes factor, direction, and the density (any scale) on a grid that resolves it."""

    evidence: float
    direction: int
    grid: Grid
    density: Floats


def _prior_grid(x: Floats) -> Grid:
    """Cover the prior's range, with several nodes in every gap of a possibly uneven grid."""
    span = float(np.ptp(x)) or abs(float(x[0])) or 1.0
    gap = float(np.diff(x).min()) if x.size > 1 else span
    per_gap = min(32, max(2, 80 // x.size))
    inside = np.append(x[:-1][:: 1 + x.size // 160], x[-1])
    edges = np.concatenate([[x[0] - MARGIN * span], inside, [x[-1] + MARGIN * span]])
    steps = np.full(edges.size - 1, per_gap)
    steps[[0, -1]] = 24
    inner = [np.linspace(a, b, m + 1) for a, b, m in zip(edges, edges[1:], steps, strict=False)]
    log_scales = np.linspace(math.log(SCALES[0] * gap), math.log(SCALES[1] * span), 32)
    return Grid(np.unique(np.concatenate(inner)), log_scales)


def _log_likelihoods(counts: Counts, grid: Grid) -> tuple[Floats, Floats]:
    """Rising and falling log-likelihood Σ k z − n ln(1 + e^z) on the grid, z = (x − c)/s.

    A falling curve of successes is a rising one of failures, so both share the costly sum.
    """
    inverse = np.exp(-grid.log_scales)
    shared = np.zeros((grid.centres.size, inverse.size))
    for x, n in zip(counts.x, counts.n, strict=True):
        z = (x - grid.centres)[:, None] * inverse
        shared += n * (np.maximum(z, 0) + np.log(1 + np.exp(-np.minimum(np.abs(z), 40))))
    offsets = counts.x - grid.centres[:, None]
    rising = (offsets @ counts.k)[:, None] * inverse - shared
    falling = (offsets @ (counts.n - counts.k))[:, None] * inverse - shared
    return rising, falling


def posterior(counts: Counts, fixed: int | None) -> Posterior:
    """Weigh rising against falling on the prior's grid, then zoom until the grid resolves.

    Raises:
        ValueError: the fixed direction is none.
    """
    if fixed not in (None, 1, -1):
        raise ValueError(f"direction is {fixed!r}; it must be +1, −1 or None.")
    grid = prior = _prior_grid(counts.x)
    rising, falling = _log_likelihoods(counts, grid)
    constant = counts.k.sum() in (0, counts.n.sum())
    evidence = 0.0 if constant else _log_sum(rising, grid) - _log_sum(falling, grid)
    if abs(evidence) < TIE:
        evidence = 0.0
    direction = fixed or int(np.sign(evidence)) or DEFAULT_DIRECTION
    log_density = rising if direction > 0 else falling
    for _ in range(MAX_ZOOMS):
        log_density = log_density - log_density.max()
        depth = max(WINDOW, -float(np.partition(log_density, -BEST, axis=None)[-BEST]))
        looks = (
            _zoomed(grid.centres, log_density.max(axis=1), prior.centres, depth),
            _zoomed(grid.log_scales, log_density.max(axis=0), prior.log_scales, depth),
        )
        if all(resolved for _, resolved in looks):
            break
        grid = Grid(*(nodes for nodes, _ in looks))
        log_density = _log_likelihoods(counts, grid)[0 if direction > 0 else 1]
    return Posterior(evidence, direction, grid, np.exp(log_density - log_density.max()))


def _log_sum(log_density: Floats, grid: Grid) -> float:
    """Integrate over both axes by the trapezoidal rule, in logs."""
    top = float(log_density.max())
    total = cells(grid.centres) @ np.exp(log_density - top) @ cells(grid.log_scales)
    return top + math.log(total)


def _zoomed(nodes: Floats, profile: Floats, prior: Floats, depth: float) -> tuple[Floats, bool]:
    """Choose the next nodes of one axis from its log posterior profile (maximum 0).

    An axis that is resolved keeps its nodes where the posterior is. Another gets finer ones over
    those within `depth` nats of the top and a little beyond, until they settle. (On a narrow
    oblique ridge the best cell alone is only the one that the ridge happens to hit.)
    """
    kept = np.flatnonzero(profile >= -depth)
    first, last = kept[0], kept[-1]
    below, above = max(first, 1), min(last, nodes.size - 2)
    before, behind = (2 if first > 0 else SLIDE), (2 if last < nodes.size - 1 else SLIDE)
    left = max(prior[0], nodes[first] - before * (nodes[below] - nodes[below - 1]))
    right = min(prior[-1], nodes[last] + behind * (nodes[above + 1] - nodes[above]))
    closed = (first > 0 or left == nodes[0]) and (last < nodes.size - 1 or right == nodes[-1])
    if closed and np.count_nonzero(profile > -CORE) >= CORE_NODES:
        return nodes[max(first - 1, 0) : last + 2], True
    finer = np.linspace(float(left), float(right), ZOOM_NODES)
    settled = nodes.size == ZOOM_NODES and np.abs(finer - nodes).max() <= finer[1] - finer[0]
    return finer, settled


def cells(nodes: Floats) -> Floats:
    """Weigh the nodes for the trapezoidal rule."""
    steps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    return (steps[1:] + steps[:-1]) / 2


def quantiles(grid: Grid, density: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Invert both marginal distribution functions, linearly between the nodes."""
    found = []
    marginals = density @ cells(grid.log_scales), cells(grid.centres) @ density
    for nodes, marginal in zip(grid, marginals, strict=True):
        below = np.cumsum(np.diff(nodes) * (marginal[1:] + marginal[:-1]) / 2)
        found.append(np.interp(levels * below[-1], np.concatenate([[0.0], below]), nodes))
    return found[0], found[1]
