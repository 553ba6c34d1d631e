"""A running descent, as the fast engine stores it."""

from math import sqrt

import numpy as np

from ...numerics.latent_loss import Evaluation, LatentLoss
from ...numerics.network import Vector
from ..descent import Descent, Progress, State, SubgradientDescent, Verdict, judged
from .least_squares import LeastSquares
from .maps import Pattern, PatternMaps
from .negation import NegationTest

# Where ‖v‖ is below this multiple of the tolerance, the network itself computes it.
NEAR = 1 + 1e-5


class Run:
    """A running descent: the iterate x̃_t, and what is known of it.

    Args:
        objective: loss and descent vector.
        form: the loss in the form that the maps need.
        method: step and stopping rule.
        state: the first iterate.
        max_steps: step budget T.
        progress: judges the run at its marks.
    """

    def __init__(
        self,
        objective: LatentLoss,
        form: LeastSquares,
        method: SubgradientDescent,
        state: State,
        max_steps: int,
        progress: Progress,
    ):
        self.objective, self.form = objective, form
        self.method, self.max_steps = method, max_steps
        self._progress, self.steps = progress, 0
        self.state = state
        self._negation = NegationTest(objective, form) if method.negation else None

    @property
    def state(self) -> State:
        """The iterate as the plain engine stores it."""
        return State(
            self.code, self.loss, self.vector, self.gradient_norm, self.negations, self.best_loss
        )

    @state.setter
    def state(self, state: State) -> None:
        self.code, self.loss, self.vector, self.gradient_norm = state[:4]
        self.negations, self.best_loss = state.negations, state.best_loss
        self._is_settled = True

    @property
    def stride(self) -> float:
        """Length of the next step."""
        return self.method.step_size * self.gradient_norm

    def advance(self) -> None:
        """Move the code by one step; loss and descent vector are still those before it."""
        self.jump(self.code - self.method.step_size * self.vector, 1)

    def jump(self, code: Vector, steps: int) -> None:
        """Set a later code, `steps` steps ahead."""
        self.code, self._is_settled = code, False
        self.steps += steps

    def evaluate(self, first: Vector | None = None) -> Evaluation:
        """Evaluate the network itself at the code; `first` is W_1 x if it is known."""
        first = self.objective.first(self.code) if first is None else first
        evaluation = self.objective.evaluate(first)
        self.loss = evaluation.loss
        return evaluation

    def maps(self, patterns: list[Pattern]) -> PatternMaps:
        """Compute the linear maps of the network for a pattern."""
        return PatternMaps(self.form.weights, self.form.sensing, patterns)

    def take(self, vector: Vector) -> None:
        """Set the descent vector that belongs to code and loss."""
        self.vector, self.gradient_norm = vector, sqrt(vector.dot(vector))
        self._is_settled = False
        if self.gradient_norm < self.method.tolerance * NEAR:
            self.settle()
        elif self.loss < self.best_loss:
            self.best_loss = self.loss

    def settle(self, evaluation: Evaluation | None = None) -> None:
        """Compute loss and descent vector by the network itself, unless that was done."""
        if evaluation is None and self._is_settled:
            return
        evaluation = self.evaluate() if evaluation is None else evaluation
        self.vector = self.objective.descent_vector(evaluation)
        self.gradient_norm = sqrt(self.vector.dot(self.vector))
        self.best_loss = min(self.best_loss, self.loss)
        self._is_settled = True

    def negated(self, moved: float, first: Vector | None = None) -> bool:
        """Replace x by −x if f(−x) < f(x); `moved` bounds the distance since the last call."""
        if self._negation is None or not self._negation.lower(self.code, self.loss, moved, first):
            return False
        self._negation.forget()
        self.code, self._is_settled = -self.code, False
        self.negations += 1
        return True

    def sure_radius(self, wanted: float) -> float:
        """Give the distance within which negation is excluded while the loss does not grow."""
        if self._negation is None:
            return np.inf
        return self._negation.radius(self.code, self.loss, wanted)

    @property
    def horizon(self) -> int:
        """Number of steps that may be taken before the run must be judged again."""
        next_mark = self._progress.next_mark
        end = next_mark if next_mark > self.steps else self.max_steps
        return min(end, self.max_steps) - self.steps

    def verdict(self) -> Verdict | None:
        """Give the reason to stop, or None."""
        if (verdict := self.method.reason(self.loss, self.gradient_norm)) is not None:
            return verdict
        if self.steps == self.max_steps:
            return self._progress.verdict(self.best_loss)
        if self.steps == self._progress.next_mark:
            return self._progress.judge(self.steps, self.best_loss, self.code)
        return None

    def ended(self, verdict: Verdict) -> Descent:
        """Evaluate the last iterate by the network itself, and give the end of the run."""
        self.settle()
        verdict = judged(self.objective, self.state, verdict)
        return Descent(self.state, self.steps, verdict, self._progress.hopeless_code)
