"""Time a descent while it runs, to estimate the cost of the whole run."""

import time
from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np

from ..numerics.network import Vector
from .descent import NO_END, Patience, Progress, Verdict

PATIENT = 4


class Mark(NamedTuple):
    """The code of a run at some step, and the processor time until then, in seconds."""

    steps: int
    seconds: float
    code: Vector


class Stopwatch(Progress):
    """Notes the time at growing intervals of a run, and ends the run when a time is up.

    Args:
        max_steps: step budget T.
        patience: when a run may end before that.
        seconds: processor time after which the run is ended; where the run gets little of a
            processor, it is ended after four times as many seconds of wall time.
        shortest: length of a step at which a run has converged, in units of the code.
    """

    def __init__(
        self,
        max_steps: int,
        patience: Patience = NO_END,
        seconds: float = inf,
        shortest: float = 0.0,
    ):
        super().__init__(max_steps, patience)
        self._max_steps, self._shortest = max_steps, shortest
        self._seconds, self._deadline = seconds, time.perf_counter() + PATIENT * seconds
        self._begun = time.thread_time()
        self._marks: list[Mark] = []
        self._look = 1
        self.is_cut = False
        self.next_mark = min(self.next_mark, self._look)

    def judge(self, steps: int, best_loss: float, code: Vector) -> Verdict | None:
        """Judge a run as `Progress` does, and note the time."""
        verdict = super().judge(steps, best_loss, code)
        if steps >= self._look:
            spent = time.thread_time() - self._begun
            self._marks.append(Mark(steps, spent, code))
            self._look = steps + max(1, steps // 10)
            is_late = spent > self._seconds or time.perf_counter() > self._deadline
            if verdict is None and is_late and len(self._marks) > 1:
                self.is_cut, verdict = True, Verdict.ABANDONED
        ahead = self.next_mark if self.next_mark > steps else self._look
        self.next_mark = min(ahead, self._look)
        return verdict

    def rest(self) -> float:
        """Estimate the processor time, in seconds, that a run which was ended would still take.

        The cost is assumed to grow as a power of the steps, fitted to the later two thirds of the
        steps: the first steps of the fast engine are the most expensive, as most units flip in
        them, and all steps of the plain engine cost the same. On 114 runs of five presets, each
        ended after 0.17 s, the estimates add up to 0.56 to 1.07 of what the runs of a preset took.
        """
        if not self.is_cut:
            return 0.0
        end, first = self._marks[-1], self._before(1 / 3)
        power = log(end.seconds / max(first.seconds, 1e-9)) / log(end.steps / first.steps)
        steps = end.steps + self._steps_left()
        grown = float((steps / end.steps) ** min(power, 1.0))
        return end.seconds * (grown - 1)

    def _before(self, part: float) -> Mark:
        """Give the last mark within a part of the steps, other than the very last mark."""
        within = [m for m in self._marks[:-1] if m.steps <= part * self._marks[-1].steps]
        return within[-1] if within else self._marks[0]

    def _steps_left(self) -> float:
        """Estimate the steps until a run has converged, or has spent its budget.

        The length of a step is assumed to shrink geometrically, once at the rate of the later half
        of the run, once at that of all of it. The one is too slow where a run is about to
        converge, the other too fast where it is trapped. This is their geometric mean.
        """
        end, most = self._marks[-1], self._max_steps - self._marks[-1].steps
        now = (self._before(0.8), end)
        if self._shortest <= 0:
            return most
        if (length := _length(*now)) <= self._shortest:
            return 0.0
        left = []
        for then in ((self._before(0.4), self._before(0.5)), tuple(self._marks[:2])):
            shrunk = log(_length(*then) / length)
            between = (now[0].steps + now[1].steps - then[0].steps - then[1].steps) / 2
            needed = log(length / self._shortest) / shrunk * between if shrunk > 0 else inf
            left.append(min(most, needed))
        return sqrt(left[0] * left[1])


def _length(one: Mark, other: Mark) -> float:
    """Give the mean length of a step between two marks; infinite if they are the same."""
    steps = other.steps - one.steps
    return float(np.linalg.norm(other.code - one.code)) / steps if steps else inf
