"""Subgradient descent with negation on a latent code: the step, the verdict, the loop.

`descend` is the plain engine: each of its lines is one of Cocola 2022, Algorithm 2. Tests compare
the fast engine with it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from ..numerics.latent_loss import LatentLoss
from ..numerics.network import Vector

# A run has stalled if its best loss did not fall by this much over the last fifth of its budget.
STALL_RELATIVE = 1e-9
STALL_FROM = 0.8


class Verdict(IntEnum):
    """How a run ended; the numbers are stored.

    A *flat* run ended where the loss is constant all around, but not 0: no path of active units
    leads from the code to the measurements, so that the descent vector is exactly 0 and gives no
    direction. Such a run has not converged.
    """

    CONVERGED = 0
    STALLED = 1
    BUDGET_SPENT = 2
    DIVERGED = 3
    ABANDONED = 4
    FLAT = 5


class State(NamedTuple):
    """An iterate x̃_t, after the negation test, with everything computed there."""

    code: Vector
    loss: float
    vector: Vector
    gradient_norm: float
    negations: int
    best_loss: float


@dataclass(frozen=True)
class SubgradientDescent:
    """x̃ ← −x if f(−x) < f(x), else x; then x ← x̃ − α v(x̃).

    Args:
        step_size: α > 0.
        tolerance: a run has converged when ‖v(x̃)‖ is below it, in units of v.
        negation: if False, x̃ is always x.

    Source: Cocola 2022, Algorithm 2.
    """

    step_size: float
    tolerance: float
    negation: bool = True

    def start(self, objective: LatentLoss, code: Vector) -> State:
        """Evaluate the first iterate."""
        return self._settle(objective, code, negations=0, best_loss=np.inf)

    def step(self, objective: LatentLoss, state: State) -> State:
        """Take one step from x̃_t to x̃_{t+1}."""
        code = state.code - self.step_size * state.vector
        return self._settle(objective, code, state.negations, state.best_loss)

    def finished(self, state: State) -> Verdict | None:
        """Give the reason to stop, or None."""
        return self.reason(state.loss, state.gradient_norm)

    def reason(self, loss: float, gradient_norm: float) -> Verdict | None:
        """Give the reason to stop at a given loss and ‖v‖, or None."""
        # A comparison with NaN is false, and so is ∞ < ∞.
        if not loss < np.inf or not gradient_norm < np.inf:
            return Verdict.DIVERGED
        return Verdict.CONVERGED if gradient_norm < self.tolerance else None

    def _settle(
        self, objective: LatentLoss, code: Vector, negations: int, best_loss: float
    ) -> State:
        """Choose between x and −x, and compute the descent vector there."""
        first = objective.first(code)
        here = objective.evaluate(first)
        if self.negation:
            there = objective.evaluate(-first)
            if there.loss < here.loss:
                code, here, negations = -code, there, negations + 1
        vector = objective.descent_vector(here)
        norm = float(np.sqrt(vector @ vector))
        return State(code, here.loss, vector, norm, negations, min(best_loss, here.loss))


@dataclass(frozen=True)
class Patience:
    """When a run may end before it converges or has spent its budget, judged by its best losses.

    Args:
        steps: a run is hopeless if its best loss did not fall by a factor over this many steps;
            best losses are compared at its multiples. 0: no run is hopeless.
        factor: at least 1; near 1, only runs that stand still are hopeless.
        audited: a hopeless run continues, to find out how often abandoning is wrong.
        stall_after: a run has stalled if its best loss did not fall by 1e-9 (relative) from one
            multiple of this to the next. 0: that is tested at the end of the budget only.
    """

    steps: int = 0
    factor: float = 2.0
    audited: bool = False
    stall_after: int = 0


NO_END = Patience()


class Progress:
    """The best loss at the marks of a run, the steps where it is judged.

    Args:
        max_steps: step budget T.
        patience: when a run may end before that.
    """

    def __init__(self, max_steps: int, patience: Patience = NO_END):
        self.hopeless_code: Vector | None = None
        self._patience = patience
        # The next mark of each kind, and the best loss at the last one.
        self._window, self._best_at_window = (0 if patience.steps else max_steps + 1), np.inf
        self._stall_mark, self._best_at_stall_mark = int(STALL_FROM * max_steps), np.inf
        # The mark before the last one: a run may end directly after a mark.
        self._stalls, self._best_before = 0 < patience.stall_after < self._stall_mark, np.inf
        if self._stalls:
            self._stall_mark = 0
        self.next_mark = min(self._stall_mark, self._window)

    def judge(self, steps: int, best_loss: float, code: Vector) -> Verdict | None:
        """Judge a run at `next_mark`, and advance the mark; give the reason to stop, or None."""
        patience, verdict = self._patience, None
        if steps == self._stall_mark:
            last = self._best_at_stall_mark
            if self._stalls:
                self._stall_mark += patience.stall_after
                verdict = Verdict.STALLED if _is_still(best_loss, last) else None
            self._best_before, self._best_at_stall_mark = last, best_loss
        if steps == self._window:
            hopeless = steps > 0 and best_loss * patience.factor > self._best_at_window
            if hopeless and self.hopeless_code is None:
                self.hopeless_code = code
            self._best_at_window = best_loss
            self._window += patience.steps
        ahead = [mark for mark in (self._stall_mark, self._window) if mark > steps]
        self.next_mark = min(ahead, default=steps - 1)
        if verdict is None and self.hopeless_code is not None and not patience.audited:
            return Verdict.ABANDONED
        return verdict

    def verdict(self, best_loss: float) -> Verdict:
        """Give the verdict of a run at the end of its budget.

        It is *stalled* if its best loss did not improve by 1e-9 (relative) over the last fifth, or
        since the mark before the last.
        """
        before = self._best_before if self._stalls else self._best_at_stall_mark
        return Verdict.STALLED if _is_still(best_loss, before) else Verdict.BUDGET_SPENT


def _is_still(best_loss: float, before: float) -> bool:
    return best_loss >= (1 - STALL_RELATIVE) * before


def judged(objective: LatentLoss, state: State, verdict: Verdict) -> Verdict:
    """Distinguish a run that ended in a flat zone from one that converged or spent its budget.

    Args:
        objective: loss and descent vector.
        state: the last state, computed by the network itself.
        verdict: why the run stopped.
    """
    if verdict in (Verdict.DIVERGED, Verdict.ABANDONED) or state.loss == 0 or state.vector.any():
        return verdict
    return Verdict.FLAT if objective.is_flat(state.code) else verdict


class Descent(NamedTuple):
    """The end of a run: its last state, the number of steps, why it stopped.

    `hopeless_code` is the code where the run first was hopeless, None if it never was. A hopeless
    run that was not abandoned has been audited.
    """

    state: State
    steps: int
    verdict: Verdict
    hopeless_code: Vector | None = None


def descend(
    objective: LatentLoss,
    method: SubgradientDescent,
    code: Vector,
    *,
    max_steps: int,
    patience: Patience = NO_END,
    progress: Progress | None = None,
) -> Descent:
    """Run the descent from a code until it converges, diverges, is abandoned or spends its budget.

    Args:
        objective: loss and descent vector.
        method: step and stopping rule.
        code: x_0, shape (k,).
        max_steps: step budget T.
        patience: when a run may end before that.
        progress: judges the run in place of `patience`, if given.

    Returns:
        The last iterate x̃, the number of steps taken to it, the verdict, and the code where the
        run first was hopeless.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        progress = progress or Progress(max_steps, patience)
        state = method.start(objective, code)
        for steps in range(max_steps):
            if (verdict := method.finished(state)) is not None:
                verdict = judged(objective, state, verdict)
                return Descent(state, steps, verdict, progress.hopeless_code)
            if steps == progress.next_mark:
                verdict = progress.judge(steps, state.best_loss, state.code)
                if verdict is not None:
                    verdict = judged(objective, state, verdict)
                    return Descent(state, steps, verdict, progress.hopeless_code)
            state = method.step(objective, state)
        if (verdict := method.finished(state)) is None:
            verdict = progress.verdict(state.best_loss)
        verdict = judged(objective, state, verdict)
        return Descent(state, max_steps, verdict, progress.hopeless_code)
