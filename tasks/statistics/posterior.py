"""The posterior of a success transition, averaged over shapes of the curve and scales of the axis.

Success at t has probability (1 − δ) F(±(t − c)/s). F is one of three links, t the position or its
logarithm, c the middle of the curve, s its scale, and the lapse δ < ½ the distance of its ceiling
from 1. It crosses ½ at the 50 % point p = c ± s F⁻¹(½/(1 − δ)).

Which link and which scale of the axis hold is not known, and an interval for one of them covers the
truth of another badly. So all are fitted, each on a grid that is refined where its posterior is,
and averaged with the evidence of each as its weight.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .counts import Counts
from .links import LINKS, Floats, Link, Parts

Booleans = NDArray[np.bool_]

MARGIN = 0.5  # prior range of the middle beyond the outermost positions, in spans
SCALES = (0.001, 2.0)  # prior range of a logistic s: × the smallest gap, × the span
LAPSES = np.array([0, 0.02, 0.1, 0.3])  # nodes of the first look
MOST_LAPSE = 0.499
NO_LAPSE = 0.5  # prior probability that δ is 0; else its density falls linearly, as 1 − 2δ
DEFAULT_DIRECTION = 1  # success rises with the position, as it does with measurements
FIRST_SCALES, FIRST_EDGE, FIRST_GAPS = 20, 10, 60
WINDOW, CORE = 12.0, 8.0  # nats below the top that a look keeps, and that have to be resolved
ROUGHLY = (32, 8)  # middles and scales of a curve that is only to show the scale
BEST = 64  # cells that a look keeps at least: of a narrow oblique ridge it may hit only one
MAX_LOOKS = 20
LEAST = 1e-300  # of a probability, so that its logarithm is finite
TIE = 1e-6  # evidence below this, in nats, is rounding
SATURATED = 1e-13  # distance of a probability from 0 or 1 that is none
NEGLIGIBLE = 7.0  # nats below the best evidence from which a model does not enter


class Model(NamedTuple):
    """A shape of the curve, and whether positions enter as logarithms."""

    link: Link
    is_log: bool


class Grid(NamedTuple):
    """Nodes in δ, in the middle c and in ln s, all increasing."""

    lapses: Floats
    middles: Floats
    log_scales: Floats


class Look(NamedTuple):
    """Nodes in δ, c and ln s, and how many of them must be within 8 nats of the top."""

    sizes: tuple[int, int, int]
    fewest: tuple[int, int, int]


COARSE, FINE = Look((7, 20, 14), (3, 6, 5)), Look((15, 34, 24), (8, 17, 12))


class Fitted(NamedTuple):
    """The posterior of one model.

    Attributes:
        model: the model.
        evidence: its log evidence.
        grid: nodes.
        mass: probability of each cell, given the model, in the grid's axes.
        best: δ, c and ln s of the most likely cell.
        ends: of the prior of c.
    """

    model: Model
    evidence: float
    grid: Grid
    mass: Floats
    best: tuple[float, ...]
    ends: tuple[float, float]


def span_of(t: Floats) -> float:
    """Give the length that the positions cover; a single position counts as |t|, or 1 at 0."""
    return float(np.ptp(t)) or abs(float(t[0])) or 1.0


def models_for(counts: Counts) -> tuple[Model, ...]:
    """List the models: positions enter as logarithms too where all are positive."""
    scales = (False, True) if counts.x[0] > 0 and counts.x.size > 1 else (False,)
    return tuple(Model(link, is_log) for is_log in scales for link in LINKS)


class _Search:
    """Looks closer and closer at the posterior of one model, until its grid resolves it."""

    def __init__(self, counts: Counts, model: Model, direction: int, floor: float):
        self.counts, self.model, self.direction = counts, model, direction
        self.t = np.log(counts.x) if model.is_log else counts.x
        self.floor = floor
        if model.is_log:
            self.floor = math.log(floor) if floor > 0 else -math.inf
        self.floor = min(self.floor, float(self.t[0]))
        self.grid = _prior_grid(self.t, model, self.floor)
        lapses = np.array([0, MOST_LAPSE])
        self.ends = Grid(lapses, *(nodes[[0, -1]] for nodes in self.grid[1:]))
        self.looks = 0
        self._weigh()

    def _weigh(self) -> None:
        """Compute the log-likelihood on the grid, and what of each axis is near its top."""
        logs = _log_likelihood(self.t, self.counts, self.model, self.direction, self.grid)
        logs[~self._inside()] = -np.inf
        self.top = float(logs.max())
        self.logs = logs - self.top
        self.profiles = [self.logs.max(axis=others) for others in ((1, 2), (0, 2), (0, 1))]
        depth = max(WINDOW, -float(np.partition(self.logs, -BEST, axis=None)[-BEST]))
        self.kept = [np.flatnonzero(profile >= -depth) for profile in self.profiles]

    def find(self) -> None:
        """Look until a coarse grid has several nodes where the posterior is."""
        self._look_until_seen(COARSE)

    def resolve(self) -> None:
        """Look until enough nodes of each axis are where the posterior is."""
        self._look_until_seen(FINE)

    def _look_until_seen(self, look: Look) -> None:
        """Look at least once, and skip all further looks where they would repeat the last two.

        A wide posterior, as of few trials, may fill the prior's range without enough nodes.
        """
        grids: list[Grid] = []
        self._look(look)
        while not self._has(look) and self.looks < MAX_LOOKS:
            grids.append(self.grid)
            self._look(look)
            would_end_here = (MAX_LOOKS - self.looks) % 2 == 0
            if would_end_here and len(grids) > 1 and _same(self.grid, grids[-2]):
                self.looks = MAX_LOOKS

    def _look(self, look: Look) -> None:
        """Take a grid of what is near the top."""
        self.grid = Grid(*map(_closer, self.grid, self.kept, self.ends, look.sizes))
        self.looks += 1
        self._weigh()

    def fitted(self) -> Fitted:
        """Give the evidence, and the probability of each cell."""
        mass = np.exp(self.logs) * _weights(self.grid)
        total = float(mass.sum())
        volume = float(np.ptp(self.ends.middles)) * float(np.ptp(self.ends.log_scales))
        best = np.unravel_index(np.argmax(self.logs), self.logs.shape)
        top = tuple(float(nodes[i]) for nodes, i in zip(self.grid, best, strict=True))
        evidence = self.top + math.log(total / volume)
        first, last = self.ends.middles.tolist()
        return Fitted(self.model, evidence, self.grid, mass / total, top, (first, last))

    def _inside(self) -> Booleans:
        """Say which cells have their 50 % point in the prior's range."""
        at_half = self.direction * self.model.link.inverse(0.5 / (1 - self.grid.lapses))
        ahead = at_half[:, None, None] * np.exp(self.grid.log_scales)
        points = self.grid.middles[:, None] + ahead
        first, last = self.ends.middles
        margin = 1e-9 * (last - first)
        inside: Booleans = (points >= max(self.floor, first) - margin) & (points <= last + margin)
        return inside

    def _has(self, look: Look) -> bool:
        """Say whether enough nodes of each axis are near the top, and none is cut off."""
        for nodes, profile, kept, end, fewest in zip(
            self.grid, self.profiles, self.kept, self.ends, look.fewest, strict=True
        ):
            near = 1e-9 * (end[1] - end[0])
            is_cut = (kept[0] == 0 and nodes[0] > end[0] + near) or (
                kept[-1] == nodes.size - 1 and nodes[-1] < end[1] - near
            )
            if is_cut or np.count_nonzero(profile > -CORE) < fewest:
                return False
        return True


def posterior(
    counts: Counts,
    direction: int,
    floor: float = -math.inf,
    models: Sequence[Model] | None = None,
) -> list[Fitted]:
    """Fit every model that the outcomes do not rule out.

    Args:
        counts: the outcomes.
        direction: +1 or −1.
        floor: lower bound of the 50 % point.
        models: to choose from; all that the positions allow if None.
    """
    models = models_for(counts) if models is None else models
    searches = [_Search(counts, model, direction, floor) for model in models]
    for search in searches:
        search.find()
    roughly = [search.fitted().evidence for search in searches]
    searches = [
        search
        for search, evidence in zip(searches, roughly, strict=True)
        if evidence > max(roughly) - NEGLIGIBLE
    ]
    for search in searches:
        search.resolve()
    return [search.fitted() for search in searches]


@np.errstate(under="ignore")
def direction_evidence(counts: Counts, floor: float = -math.inf) -> float:
    """Give the log Bayes factor of rising over falling success, in nats, by logistic curves.

    Where all positions share their draws, the trials of a draw count as one trial together. Their
    numbers of failures alone have no direction.
    """
    if counts.draws is not None:
        return direction_evidence(counts._replace(draws=None), floor) / counts.x.size
    if counts.k.sum() in (0, counts.n.sum()):
        return 0.0
    both = []
    for direction in (1, -1):
        evidences = []
        for model in models_for(counts)[:: len(LINKS)]:
            search = _Search(counts, model, direction, floor)
            search.find()
            evidences.append(search.fitted().evidence)
        both.append(float(np.logaddexp.reduce(evidences)))
    evidence = both[0] - both[1]
    return evidence if abs(evidence) > TIE else 0.0


class Rough(NamedTuple):
    """A logistic curve near the most likely one, on the logarithm where all positions are positive.

    Attributes:
        t: the positions, or their logarithms.
        middle: its middle, on that scale.
        scale: its scale s.
    """

    t: Floats
    middle: float
    scale: float


def rough_curve(counts: Counts, directions: Sequence[int]) -> Rough:
    """Find the likeliest curve of a small grid, of scales from 1/256 to 1/8 of the span."""
    is_log = bool(counts.x[0] > 0)
    t = np.log(counts.x) if is_log else counts.x
    middles = np.linspace(t[0], t[-1], ROUGHLY[0])
    log_scales = math.log(span_of(t)) - np.linspace(math.log(256), math.log(8), ROUGHLY[1])
    grid, model = Grid(LAPSES, middles, log_scales), Model(LINKS[0], is_log)
    logs = [_log_likelihood(t, counts, model, direction, grid) for direction in directions]
    _, _, middle, scale = np.unravel_index(np.argmax(logs), np.shape(logs))
    return Rough(t, float(middles[middle]), math.exp(log_scales[scale]))


def _prior_grid(t: Floats, model: Model, floor: float) -> Grid:
    """Cover the prior's range, with several nodes in every gap of a possibly uneven grid."""
    span = span_of(t)
    gap = float(np.diff(t).min()) if t.size > 1 else span
    per_gap = min(16, max(2, FIRST_GAPS // t.size))
    inside = np.append(t[:-1][:: 1 + t.size // 100], t[-1])
    first = max(float(t[0]) - MARGIN * span, min(floor, float(t[0])))
    edges = np.concatenate([[first], inside, [t[-1] + MARGIN * span]])
    steps = np.full(edges.size - 1, per_gap)
    steps[[0, -1]] = FIRST_EDGE
    gaps, before = np.repeat([np.diff(edges) / steps, edges[:-1]], steps, axis=1)
    number = np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)
    middles = np.unique(np.append(before + number * gaps, edges[-1]))
    wide = LINKS[0].width / model.link.width
    first_scale, last_scale = SCALES[0] * gap * wide, SCALES[1] * span * wide
    log_scales = np.linspace(math.log(first_scale), math.log(last_scale), FIRST_SCALES)
    return Grid(LAPSES, middles, log_scales)


def _log_likelihood(t: Floats, counts: Counts, model: Model, direction: int, grid: Grid) -> Floats:
    """Give the log-likelihood on the grid, from P = (1 − δ) F at every position.

    It is Σ k ln P + (n − k) ln(1 − P) over the positions. Where they share their draws, it is
    Σ d_j ln(P_{j+1} − P_j) over the numbers j of failures: P rises from P_0 = 0 at no position to
    P_{p+1} = 1 beyond the last.
    """
    inverse = direction * np.exp(-grid.log_scales)
    u = ((t[:, None] - grid.middles)[..., None] * inverse).reshape(t.size, -1)
    parts = model.link.parts(u)
    sums = _sums_of_trials if counts.draws is None else _sums_of_draws
    total = np.stack(list(sums(counts, parts, grid.lapses.tolist(), direction)))
    return total.reshape(grid.lapses.size, grid.middles.size, grid.log_scales.size)


def _sums_of_trials(
    counts: Counts, parts: Parts, lapses: list[float], direction: int
) -> Iterator[Floats]:
    failures = counts.n - counts.k
    failed = failures > 0
    common, wins = counts.k @ parts.log, float(counts.k.sum())
    failures, value = failures[failed], parts.value[failed]
    # Far from the transition F is 0 or 1 in all cells: no logarithms are needed there.
    is_high = value.min(axis=1) > 1 - SATURATED
    near = (value.max(axis=1) > SATURATED) & ~is_high
    high, value = float(failures[is_high].sum()), value[near]
    logs = np.empty_like(value)
    for lapse in lapses:
        if lapse == 0:
            yield common + failures @ parts.log_rest[failed]
            continue
        np.multiply(value, lapse - 1, out=logs)
        logs += 1
        np.log(logs, out=logs)
        ceiling = wins * math.log1p(-lapse) + high * math.log(lapse)
        yield common + ceiling + failures[near] @ logs


def _sums_of_draws(
    counts: Counts, parts: Parts, lapses: list[float], direction: int
) -> Iterator[Floats]:
    value, rest = parts.value[::direction], np.exp(parts.log_rest)[::direction]
    # Near 1 the differences of 1 − F are exact, near 0 those of F.
    rises = np.where(value[1:] > 0.5, rest[:-1] - rest[1:], value[1:] - value[:-1])
    draws = np.asarray(counts.draws)
    seen = draws > 0
    for lapse in lapses:
        share = 1 - lapse
        steps = np.concatenate([share * value[:1], share * rises, lapse + share * rest[-1:]])
        yield draws[seen] @ np.log(np.maximum(steps[seen], LEAST))


def _closer(nodes: Floats, kept: NDArray[np.intp], end: Floats, size: int) -> Floats:
    """Give nodes over those that are kept and one step beyond, further where the edge is cut."""
    first, last = int(kept[0]), int(kept[-1])
    before = nodes[max(first - 1, 0)]
    after = nodes[min(last + 1, nodes.size - 1)]
    width = after - before
    if first == 0:
        before = max(end[0], before - width)
    if last == nodes.size - 1:
        after = min(end[1], after + width)
    return np.asarray(before + (after - before) * _shares(size), dtype=float)


def _same(one: Grid, other: Grid) -> bool:
    """Say whether two grids have equal nodes."""
    return all(map(np.array_equal, one, other))


@cache
def _shares(size: int) -> Floats:
    """Divide 0 to 1 evenly."""
    return np.linspace(0, 1, size)


def _weights(grid: Grid) -> Floats:
    """Weigh the cells by the prior and for the trapezoidal rule."""
    density, sitting = lapse_prior(grid.lapses)
    lapses = density * lengths(grid.lapses) + sitting
    weights: Floats = (
        lapses[:, None, None] * lengths(grid.middles)[:, None] * lengths(grid.log_scales)
    )
    return weights


def lapse_prior(lapses: Floats) -> tuple[Floats, Floats]:
    """Give the prior of δ at its nodes: the density, and the probability of single nodes."""
    return (1 - NO_LAPSE) * 4 * (1 - 2 * lapses), np.where(lapses == 0, NO_LAPSE, 0.0)


def lengths(nodes: Floats) -> Floats:
    """Weigh the nodes for the trapezoidal rule."""
    steps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    return (steps[1:] + steps[:-1]) / 2
