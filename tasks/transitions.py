"""Fit the 50 % point and the width of a success transition, with honest intervals."""

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtri

Floats = NDArray[np.float64]

WIDTH_PER_SCALE = 2 * math.log(9)  # 10–90 % width of a logistic curve, in units of s
DEFAULT_DIRECTION = 1  # success rises with the position, as it does with measurements
DECIDED = math.log(20)  # |log Bayes factor| from which a group's own direction counts
TIE = 1e-9  # evidence below this, in nats, is rounding
MARGIN = 0.5  # prior range of the centre beyond the outermost positions, in spans
SCALES = (0.001, 2.0)  # prior range of s: × the smallest gap (0.02 under-covers steps), × the span
ZOOM_NODES, MAX_ZOOMS = 64, 12
WINDOW, BEST = 16.0, 64  # a zoom keeps the cells within 16 nats of the top, and the best 64
CORE, CORE_NODES = 8.0, 24  # an axis is resolved with 24 nodes within 8 nats (± 4 σ)
ONE_GAP = 1.1  # an interval up to this many gaps long counts as one gap
METHOD = "grid posterior: logistic curve, flat centre, log-uniform scale; median, central interval"


@dataclass(frozen=True)
class Transition:
    """A fitted logistic transition; positions and widths in units of the positions.

    Attributes:
        p50: posterior median of the 50 % point, between p50_low and p50_high.
        width: posterior median of the 10–90 % width 2 ln 9 · s ≈ 4.394 s, likewise.
        direction: +1 where success rises with the position, −1 where it falls.
        trials: number of trials fitted.
        evidence: log Bayes factor of rising over falling, in nats; 0 where every outcome is equal.
        flag: "no-trials": the prior's range is all there is. "outside-grid": the positions do not
            bracket the 50 % point (always so for equal outcomes or one position), the interval
            stops where the prior does. "resolution-limited": the interval and the whole 10–90 %
            width fit into one gap, so a finer grid helps more than further trials (the width is
            then largely the prior's). Else "".
    """

    p50: float
    p50_low: float
    p50_high: float
    width: float
    width_low: float
    width_high: float
    direction: int
    trials: int
    evidence: float
    flag: str


class _Counts(NamedTuple):
    """Sorted distinct positions x, with trials n and successes k at each."""

    x: Floats
    k: Floats
    n: Floats


class _Grid(NamedTuple):
    """Nodes in the centre and in log s, both increasing."""

    centres: Floats
    log_scales: Floats


class _Posterior(NamedTuple):
    """Log Bayes factor, direction, and the density (any scale) on a grid that resolves it."""

    evidence: float
    direction: int
    grid: _Grid
    density: Floats


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Bound success probabilities by Wilson's score interval.

    (k + z²/2 ± z √(k(n − k)/n + z²/4)) / (n + z²), z the normal quantile of (1 + level)/2.
    No trials give (0, 1).

    Args:
        successes: k, any shape.
        trials: n, any shape that broadcasts with k.
        level: nominal coverage, between 0 and 1.

    Returns:
        Lower and upper bounds, of the broadcast shape.

    Raises:
        ValueError: counts that are no counts, or a level outside (0, 1).

    Source: Wilson, JASA 22 (1927) 209–212.
    """
    k, n = _checked_counts(successes, trials)
    z = float(ndtri((1 + _checked_level(level)) / 2))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(k * (n - k) / np.maximum(n, 1) + z**2 / 4) / (n + z**2)
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1))
    return low, high


@np.errstate(under="ignore")
def fit_transition(
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    level: float = 0.95,
) -> Transition:
    """Fit a logistic transition to success counts, by its posterior on a grid.

    Success at x has probability 1/(1 + exp(∓(x − c)/s)). The centre c is flat over the range of
    the positions and half a span beyond on either side, log s is flat between 0.001 smallest gaps
    and 2 spans (a single position x counts as a span of |x|, or of 1 at 0). Positions without
    trials are ignored, repeated ones pooled; their order is free.

    Args:
        positions: x, shape (p,), p ≥ 1.
        successes: k, shape (p,).
        trials: n, shape (p,).
        direction: +1 or −1 fixes it; None takes the one of larger evidence, and +1 for a tie or
            where every outcome is equal.
        level: posterior probability of the central intervals.

    Returns:
        The fit; never NaN.

    Raises:
        ValueError: shapes differ, counts are no counts, or a position is not finite.

    Source: Kuss, Jäkel & Wichmann, J. Vision 5 (2005) 478–492, on a grid instead of by sampling.
    """
    tails = np.array([0.5, (1 - _checked_level(level)) / 2, (1 + level) / 2])
    counts, tried = _tried(positions, successes, trials)
    evidence, sign, grid, density = _posterior(counts, direction)
    if tried:
        centre, log_scale = _quantiles(grid, density, tails)
    else:
        centre, log_scale = (np.array([(g[0] + g[-1]) / 2, g[0], g[-1]]) for g in grid)
    width = WIDTH_PER_SCALE * np.exp(log_scale)
    flag = _flag(counts, centre, float(width[0])) if tried else "no-trials"
    total = int(counts.n.sum())
    (p50, low, high), (mid, narrow, wide) = centre.tolist(), width.tolist()
    return Transition(p50, low, high, mid, narrow, wide, sign, total, evidence, flag)


@np.errstate(under="ignore")
def curve(positions: ArrayLike, transition: Transition) -> Floats:
    """Evaluate 1/(1 + exp(∓(x − p50)/s)), s = width/(2 ln 9), at positions of any shape."""
    x = np.asarray(positions, dtype=float)
    z = transition.direction * (x - transition.p50) / (transition.width / WIDTH_PER_SCALE)
    return np.asarray(expit(z), dtype=float)


@np.errstate(under="ignore")
def curve_band(
    at: ArrayLike,
    positions: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    direction: int | None = None,
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Bound the curve pointwise: central posterior interval of its value at each of `at`.

    The other arguments and the errors are those of `fit_transition`; `at` has shape (a,), and so
    have both bounds.
    """
    tails = np.array([(1 - _checked_level(level)) / 2, (1 + level) / 2])
    counts, _ = _tried(positions, successes, trials)
    _, sign, grid, density = _posterior(counts, direction)
    mass = density * _cells(grid.centres)[:, None] * _cells(grid.log_scales)
    kept = mass > 1e-7 * mass.max()
    band = []
    for x in np.asarray(at, dtype=float).ravel():
        value = expit(sign * (x - grid.centres[:, None]) * np.exp(-grid.log_scales))[kept]
        order = np.argsort(value)
        below = np.cumsum(mass[kept][order])
        band.append(np.interp(tails * below[-1], below, value[order]))
    low, high = np.reshape(band, (-1, 2)).T
    return low, high


def fit_transitions(
    success: xr.DataArray, along: str, *, direction: int | None = None, level: float = 0.95
) -> xr.Dataset:
    """Fit one transition along an axis for every combination of the other axes.

    A group whose outcomes leave the direction open (Bayes factor below 20) takes that of the
    majority of the groups that do decide, if there is one.

    Args:
        success: 1, 0 or NaN (not run), dims (…groups…, along, "trial") in any order.
        along: dimension with a numeric coordinate: the positions.
        direction: +1 or −1 fixes it for all groups.
        level: of all intervals.

    Returns:
        Over the groups, the fields of `Transition`; over (groups, along) `successes`, `runs` and
        the Wilson bounds `success_low`, `success_high`. Coordinates are kept.

    Raises:
        ValueError: a dimension is missing, `along` is not numeric, a value is not 1, 0 or NaN, or
            a coordinate has the name of a fitted variable.
    """
    success, positions = _checked_success(success, along)
    runs = success.notnull().sum("trial")
    successes = (success == 1).sum("trial")
    groups, shape = runs.dims[:-1], runs.shape[:-1]
    counts = (math.prod(shape), positions.size)
    pairs = list(zip(successes.values.reshape(counts), runs.values.reshape(counts), strict=True))
    fits = [fit_transition(positions, k, n, direction=direction, level=level) for k, n in pairs]
    vote = sum(int(np.sign(f.evidence)) for f in fits if abs(f.evidence) >= DECIDED)
    if direction is None and vote:
        sign = 1 if vote > 0 else -1
        fits = [
            f
            if abs(f.evidence) >= DECIDED or f.direction == sign
            else fit_transition(positions, k, n, direction=sign, level=level)
            for f, (k, n) in zip(fits, pairs, strict=True)
        ]
    low, high = wilson_interval(successes.values, runs.values, level)
    cells = {"successes": successes.values, "runs": runs.values}
    cells |= {"success_low": low, "success_high": high}
    names = [field.name for field in fields(Transition)]
    fitted = {name: np.reshape([getattr(f, name) for f in fits], shape) for name in names}
    fitted["flag"] = fitted["flag"].astype(np.dtypes.StringDType())
    attrs = {"along": along, "method": METHOD, "level": level}
    result = xr.Dataset(coords=runs.coords, attrs=attrs)
    for name, values in (fitted | cells).items():
        label: dict[str, object] = {"long_name": _LONG_NAMES[name].format(along=along)}
        units = success[along].attrs.get("units") if name.startswith(("p50", "width")) else "1"
        if units is not None:
            label["units"] = units
        result[name] = (runs.dims if name in cells else groups, values, label)
    return result


_LONG_NAMES = {
    "p50": "{along} at 50 % success",
    "p50_low": "{along} at 50 % success, lower bound",
    "p50_high": "{along} at 50 % success, upper bound",
    "width": "10–90 % width in {along}",
    "width_low": "10–90 % width in {along}, lower bound",
    "width_high": "10–90 % width in {along}, upper bound",
    "direction": "+1: success rises with {along}, −1: it falls",
    "trials": "trials fitted",
    "evidence": "log Bayes factor of rising over falling",
    "flag": "what limits the fit, empty if nothing does",
    "successes": "successful trials",
    "runs": "trials run",
    "success_low": "success probability, lower Wilson bound",
    "success_high": "success probability, upper Wilson bound",
}


def _prior_grid(x: Floats) -> _Grid:
    """Cover the prior's range, with several nodes in every gap of a possibly uneven grid."""
    span = float(np.ptp(x)) or abs(float(x[0])) or 1.0
    gap = float(np.diff(x).min()) if x.size > 1 else span
    per_gap = min(32, max(2, 160 // x.size))
    inside = np.append(x[:-1][:: 1 + x.size // 160], x[-1])
    edges = np.concatenate([[x[0] - MARGIN * span], inside, [x[-1] + MARGIN * span]])
    steps = np.full(edges.size - 1, per_gap)
    steps[[0, -1]] = 24
    inner = [np.linspace(a, b, m + 1) for a, b, m in zip(edges, edges[1:], steps, strict=False)]
    log_scales = np.linspace(math.log(SCALES[0] * gap), math.log(SCALES[1] * span), 32)
    return _Grid(np.unique(np.concatenate(inner)), log_scales)


def _log_likelihoods(counts: _Counts, grid: _Grid) -> tuple[Floats, Floats]:
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


def _posterior(counts: _Counts, fixed: int | None) -> _Posterior:
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
        grid = _Grid(*(nodes for nodes, _ in looks))
        log_density = _log_likelihoods(counts, grid)[0 if direction > 0 else 1]
    return _Posterior(evidence, direction, grid, np.exp(log_density - log_density.max()))


def _log_sum(log_density: Floats, grid: _Grid) -> float:
    """Integrate over both axes by the trapezoidal rule, in logs."""
    top = float(log_density.max())
    total = _cells(grid.centres) @ np.exp(log_density - top) @ _cells(grid.log_scales)
    return top + math.log(total)


def _zoomed(nodes: Floats, profile: Floats, prior: Floats, depth: float) -> tuple[Floats, bool]:
    """Choose the next nodes of one axis from its log posterior profile (maximum 0).

    An axis that is resolved keeps its nodes where the posterior is. Another gets finer ones from
    two steps before to two behind those within `depth` nats of the top. (On a narrow oblique ridge
    the best cell alone is only the one that the ridge happens to hit.)
    """
    kept = np.flatnonzero(profile >= -depth)
    first, last = kept[0], kept[-1]
    below, above = max(first, 1), min(last, nodes.size - 2)
    left = max(prior[0], nodes[first] - 2 * (nodes[below] - nodes[below - 1]))
    right = min(prior[-1], nodes[last] + 2 * (nodes[above + 1] - nodes[above]))
    closed = (first > 0 or left == nodes[0]) and (last < nodes.size - 1 or right == nodes[-1])
    if closed and np.count_nonzero(profile > -CORE) >= CORE_NODES:
        return nodes[max(first - 1, 0) : last + 2], True
    return np.linspace(float(left), float(right), ZOOM_NODES), False


def _cells(nodes: Floats) -> Floats:
    """Weigh the nodes for the trapezoidal rule."""
    steps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    return (steps[1:] + steps[:-1]) / 2


def _quantiles(grid: _Grid, density: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Invert both marginal distribution functions, linearly between the nodes."""
    found = []
    marginals = density @ _cells(grid.log_scales), _cells(grid.centres) @ density
    for nodes, marginal in zip(grid, marginals, strict=True):
        below = np.cumsum(np.diff(nodes) * (marginal[1:] + marginal[:-1]) / 2)
        found.append(np.interp(levels * below[-1], np.concatenate([[0.0], below]), nodes))
    return found[0], found[1]


def _flag(counts: _Counts, centre: Floats, width: float) -> str:
    """Name what limits the fit: centre is (median, low, high), width the median 10–90 % width."""
    x, (median, low, high) = counts.x, centre
    constant = counts.k.sum() in (0, counts.n.sum())
    if constant or x.size == 1 or not x[0] <= median <= x[-1]:
        return "outside-grid"
    right = min(max(int(np.searchsorted(x, median)), 1), x.size - 1)
    gap = x[right] - x[right - 1]
    return "resolution-limited" if max((high - low) / ONE_GAP, width) <= gap else ""


def _tried(positions: ArrayLike, successes: ArrayLike, trials: ArrayLike) -> tuple[_Counts, bool]:
    """Check the input, pool repeated positions, sort, and drop those without trials if any ran."""
    x = np.asarray(positions, dtype=float)
    k, n = _checked_counts(successes, trials)
    if not x.shape == np.shape(successes) == np.shape(trials) or x.ndim != 1 or not x.size:
        shapes = f"{x.shape}, {np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(
            f"positions, successes and trials have shapes {shapes}; "
            "give three equally long lists with at least one entry."
        )
    if not np.isfinite(x).all():
        where = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"positions[{where}] is {x[where]}; every position must be finite.")
    ran = bool(n.any())
    if ran:
        x, k, n = x[n > 0], k[n > 0], n[n > 0]
    distinct, index = np.unique(x, return_inverse=True)
    k, n = (np.bincount(index, weights=c).astype(np.float64) for c in (k, n))
    return _Counts(distinct, k, n), ran


def _checked_counts(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """Return counts as floats of one shape, refusing what cannot have been counted."""
    try:
        k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    except ValueError:
        shapes = f"{np.shape(successes)} and {np.shape(trials)}"
        raise ValueError(f"successes and trials have shapes {shapes}; they must match.") from None
    wrong = ~((k >= 0) & (k <= n) & np.isfinite(n))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{k[where]:g} successes of {n[where]:g} trials at index {where}; "
            "counts must satisfy 0 ≤ successes ≤ trials."
        )
    return k, n


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for example 0.95.")
    return level


def _checked_success(success: xr.DataArray, along: str) -> tuple[xr.DataArray, Floats]:
    """Load `success`, bring its dims into the order (…, along, trial), and read the positions."""
    missing = [name for name in (along, "trial") if name not in success.dims]
    if missing:
        raise ValueError(f"success has dims {success.dims}, not {missing[0]!r}; it needs both.")
    if along not in success.coords or success[along].dtype.kind not in "iuf":
        found = f"dtype {success[along].dtype}" if along in success.coords else "no coordinate"
        raise ValueError(f"{along!r} has {found}; a transition needs numeric positions along it.")
    taken = [name for name in (*success.dims, *success.coords) if name in _LONG_NAMES]
    if taken:
        raise ValueError(f"axis {taken[0]!r} has the name of a fitted variable; rename it.")
    success = success.transpose(..., along, "trial").compute()
    wrong = success.values[~np.isin(success.values, [0, 1]) & success.notnull().values]
    if wrong.size:
        raise ValueError(f"success holds {wrong[0]}; it must be 1, 0 or NaN where not run.")
    return success, np.asarray(success[along].values, dtype=float)
