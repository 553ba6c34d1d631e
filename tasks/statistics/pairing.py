"""How much less two 50 % points differ by chance where their trials share their draws.

The shift between two curves is a difference of averages of outcomes. Where both met the same draws,
its variance is less than that of independent trials, by a factor that their discordant outcomes
tell.
"""

from itertools import combinations

import numpy as np
import xarray as xr
from scipy.special import ndtri, stdtrit

from .links import Floats
from .shifts import Shift, fit_shift, one_curve_p, one_point_p, slices

TAIL = 0.975


class Group:
    """One group of transitions that are compared: outcomes and posteriors of all values."""

    def __init__(self, success: Floats, fitted: xr.Dataset, at: tuple[int, ...], *, paired: bool):
        """Take the outcomes, shape (values, p, trials), and the fits of all groups.

        Args:
            success: 1, 0 or NaN (not run).
            fitted: from `fit_transitions`, dims (…groups…, values, …).
            at: index of the group.
            paired: whether the values share the same draws.
        """
        self.success, self.paired = success, paired
        self.positions = np.asarray(fitted[fitted.attrs["along"]].values, dtype=float)
        self.direction = int(fitted["direction"].values.flat[0])
        self.floor = fitted.attrs.get("floor")
        self.scatter = str(fitted.attrs.get("scatter", "auto"))
        self.wins, self.runs = fitted["successes"].values[at], fitted["runs"].values[at]
        self.ceilings = fitted["ceiling"].values[at]
        self.dispersions = fitted["dispersion"].values[at]
        self.draws = fitted["draws"].values[at] if "draws" in fitted else None
        self._cuts: dict[int, Floats] = {}

    def shift(self, value: int, reference: int, level: float, tests: int) -> Shift:
        """Give the shift of a value from the reference, one of so many that are tested."""
        return fit_shift(
            self._cut(value), self._cut(reference), level,
            share=self._share(value, reference), tests=tests,
        )  # fmt: skip

    def signs(self, value: int, reference: int) -> tuple[int, int]:
        """Count the pairs in which only the value succeeds, and only the reference.

        Where draws are shared along the axis, a draw is a pair, and the value with fewer failures
        wins.
        """
        if self.draws is None:
            first, second = self.success[value], self.success[reference]
            gained, lost = (first == 1) & (second == 0), (first == 0) & (second == 1)
        else:
            first, second, _ = self._failures(value, reference)
            gained, lost = first < second, first > second
        return int(gained.sum()), int(lost.sum())

    def one_point_p(self, inside: np.ndarray) -> float:
        """Test that all values have one 50 % point."""
        values = range(len(self.success))
        pairs = list(combinations(values, 2))
        share = float(np.mean([self._share(*pair) for pair in pairs])) if self.paired else 1.0
        # The fits know where successes vary more than binomial counts; the likelihood does not.
        if self.draws is None and (self.dispersions == 1).all():
            return one_curve_p(
                self.positions, list(self.wins), list(self.runs), self.direction, share
            )
        return one_point_p([self._cut(v) for v in values], share) if inside.all() else np.nan

    def _share(self, value: int, other: int) -> float:
        """Give the part of the variance of independent trials that the shift has."""
        if not self.paired:
            return 1.0
        ceiling = float(np.mean(self.ceilings[[value, other]]))
        if self.draws is None:
            return share_of_trials(self.success[value], self.success[other], ceiling)
        return share_of_draws(*self._failures(value, other), ceiling)

    def _failures(self, *values: int) -> tuple[Floats, Floats, int]:
        """Count the failures of each draw at two values; NaN for draws that did not run everywhere.

        Returns:
            Both counts, and the number of positions: those that ran at both values.
        """
        ran = (self.runs[list(values)] > 0).all(axis=0)
        first, second = (self.success[value][ran] for value in values)
        return _failures(first), _failures(second), int(ran.sum())

    def _cut(self, value: int) -> Floats:
        """Cut the posterior of a 50 % point, once."""
        if value not in self._cuts:
            wins, runs = self.wins[value], self.runs[value]
            draws = None if self.draws is None else self.draws[value][: np.count_nonzero(runs) + 1]
            self._cuts[value] = slices(
                self.positions, wins, runs, self.direction, self.floor, self.scatter, draws
            )
        return self._cuts[value]


def share_of_trials(first: Floats, second: Floats, ceiling: float = 1.0) -> float:
    """Give the part of the variance of independent trials that the shift of paired trials has.

    Σ w² d/Σ w² n²/(n − 1) (p₁(1 − p₁) + p₂(1 − p₂)) over the positions of more than one pair, d the
    discordant pairs of n, one more being counted. With logistic curves of one slope the weight w of
    an outcome in the 50 % point is 1; below a ceiling c it is (1 − F)/(1 − c F), F = p/c, and 0 on
    the plateau.

    Args:
        first: outcomes 1, 0 or NaN (not run), shape (p, trials).
        second: those of the same draws at the other value.
        ceiling: of both curves.

    Returns:
        The part, at most 1. It is raised for the number of discordant pairs that it was estimated
        from, as the quantiles of Student's t are, and for trials that ran at one value only.
    """
    ran = ~(np.isnan(first) | np.isnan(second))
    pairs = ran.sum(axis=1)
    discordant = ((first != second) & ran).sum(axis=1)
    p, q = (((values == 1) & ran).sum(axis=1) / np.maximum(pairs, 1) for values in (first, second))
    squares = np.where(pairs > 1, _weights((p + q) / 2, ceiling) ** 2, 0)
    unbiased = pairs**2 / np.maximum(pairs - 1, 1)
    independent = squares @ (unbiased * (p * (1 - p) + q * (1 - q)))
    part = _raised(float(squares @ discordant), float(independent), int(discordant.sum()))
    single = np.sqrt(float((~np.isnan(first)).sum()) * float((~np.isnan(second)).sum()))
    return float(1 - (1 - part) * pairs.sum() / single) if single else 1.0


def share_of_draws(first: Floats, second: Floats, positions: int, ceiling: float = 1.0) -> float:
    """Give the same part where all positions share their draws too.

    Σ (u₁ − u₂)²/Σ (u₁² + u₂²) over the draws, u = 2 F̂ − 1 the rank of the draw's number of failures
    among those of both values: the weight of a threshold in the centre of a logistic curve. A draw
    that never succeeds has the weight of a failure at the last position.

    Args:
        first: numbers of failures 0 … p along the axis, shape (draws,); NaN for draws left out.
        second: those of the same draws at the other value.
        positions: p.
        ceiling: of both curves.
    """
    ran = ~(np.isnan(first) | np.isnan(second))
    both = np.concatenate([first[ran], second[ran]])
    if not both.size:
        return 1.0
    from scipy.stats import rankdata

    scores = 2 * (rankdata(both) - 0.5) / both.size - 1
    never = both == positions
    scores[never] *= _weights(np.array([1 - never.mean()]), ceiling)[0]
    one, other = np.split(scores, 2)
    differ = int(np.count_nonzero(first[ran] != second[ran]))
    apart, spread = float(((one - other) ** 2).sum()), float((scores**2).sum())
    part = _raised(apart * both.size / max(spread, 1e-12), float(both.size), differ)
    single = np.sqrt(float((~np.isnan(first)).sum()) * float((~np.isnan(second)).sum()))
    return float(1 - (1 - part) * ran.sum() / single)


def _failures(outcomes: Floats) -> Floats:
    """Count the failures of each draw, shape (p, draws); NaN if it did not run everywhere."""
    whole = ~np.isnan(outcomes).any(axis=0) & bool(len(outcomes))
    counts: Floats = np.where(whole, (outcomes == 0).sum(axis=0), np.nan)
    return counts


def _weights(share: Floats, ceiling: float) -> Floats:
    """Give the weight of an outcome in the 50 % point, by the success at its position."""
    if np.isnan(ceiling) or ceiling >= 1:
        return np.ones_like(share)
    risen = np.minimum(share / ceiling, 1)
    weights: Floats = (1 - risen) / (1 - ceiling * risen)
    return weights


def _raised(discordant: float, independent: float, count: int) -> float:
    """Divide, with one more discordant pair, and raise for the number of pairs; at most 1."""
    if independent <= 0:
        return 1.0
    # A Poisson count of D has the relative variance of a variance of 2 D degrees of freedom.
    wider = float(stdtrit(2 * count + 1, TAIL) / ndtri(TAIL)) ** 2
    return min((discordant + 1) / independent * wider, 1.0)
