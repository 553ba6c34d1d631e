"""The ways in which the fast engine takes a step, and when each pays.

- `Plain`: the plain engine's steps, for problems so small that nothing else is cheaper.
- `Direct`: the whole network, as in the plain engine; f(−x) only where it is not certain.
- `Folded`: all layers but the last as one linear map, updated as units flip.
- `Reduced`: the linear map of the whole network, and the few units that flip.
- `Linear`: many steps at once, in closed form, where no unit flips.

Counts decide what pays: of units that flip, of steps without a flip, of operations.
"""

from math import sqrt
from typing import Protocol

import numpy as np

from ...numerics.network import Matrix
from .linear_region import LinearRegion
from .maps import Departures, FoldedNetwork, Pattern, PatternMaps
from .policy import Policy
from .reduced import ReducedNetwork
from .run import NEAR, Run
from .watch import Watch

SETTLED = 40  # most flips in a step, below the last layer, that maps can follow
FOLD_ABOVE, REDUCE_BELOW = 4.0, 0.7  # departures a step
SMOOTHING = 0.15  # weight of the latest step in a mean number of departures
# Maps of a large network cost many steps: the mean must be low for a while before they are made.
UNSETTLED, SLOW_SMOOTHING = 10.0, 0.05
FIRST_STEPS, MORE_STEPS = 150, 32  # steps of a small problem between tests of its pattern
DWELL = 4  # least steps of a regime
SHORT_WATCH = 8  # steps that a watch must last to pay
LONGEST_PAUSE = 32  # most steps without a watch
MOST_CANDIDATES = 96
MOST_UPDATES = 300  # of maps, before they are computed again


class Regime(Protocol):
    """A way to take steps."""

    def step(self) -> "Regime":
        """Take one or more steps of the run, and give the regime of the next ones."""
        ...


class Plain:
    """The plain engine's steps, several at a time; then closed form, if the pattern has stayed."""

    def __init__(self, run: Run, policy: Policy):
        self._run, self._policy = run, policy
        self._patterns: list[Pattern] | None = None

    def _present(self) -> list[Pattern]:
        objective = self._run.objective
        return self._run.form.patterns(objective.evaluate(objective.first(self._run.code)))

    def step(self) -> Regime:
        """Take many steps, fewer at the end of the run."""
        run, policy, method = self._run, self._policy, self._run.method
        if self._patterns is None and run.steps:
            self._patterns = self._present()
        count = min(MORE_STEPS if run.steps else FIRST_STEPS, run.horizon)
        state = run.state
        for _ in range(count):
            state = method.step(run.objective, state)
            run.steps += 1
            if method.finished(state) is not None:
                break
        run.state = state
        if run.horizon == 0 or method.finished(state) is not None:
            return self
        before, patterns = self._patterns, self._present()
        self._patterns = patterns
        stayed = before is not None and all(map(np.array_equal, before, patterns))
        policy.count(not stayed, count)
        if policy.is_quiet:
            return Linear(Reduced(run, run.maps(patterns), policy))
        return self


class Direct:
    """The whole network at each step.

    Args:
        run: the run.
        policy: which regimes pay.
        moved: bounds the distance since f(−x) was tested; None if it was tested at this code.
    """

    def __init__(self, run: Run, policy: Policy, moved: float | None):
        self._run, self._policy = run, policy
        self._steps, self._departures = 0, UNSETTLED
        self._patterns = self._evaluate(moved)
        self._departed = Departures(self._patterns)

    def _evaluate(self, moved: float | None) -> list[Pattern]:
        """Evaluate at the code, or at −x if f is lower there; give the pattern."""
        run = self._run
        first = run.objective.first(run.code)
        evaluation = run.evaluate(first)
        if moved is not None and run.negated(moved, first):
            evaluation = run.evaluate(-first)
        run.settle(evaluation)
        return run.form.patterns(evaluation)

    def step(self) -> Regime:
        """Take one step; then use maps, if few enough units flip."""
        policy, before, moved = self._policy, self._patterns, self._run.stride
        self._run.advance()
        self._patterns = self._evaluate(moved)
        self._steps += 1
        pairs = zip(self._patterns, before, strict=True)
        flips = [np.flatnonzero(now != then) for now, then in pairs]
        policy.count(any(units.size for units in flips))
        if policy.is_quiet:
            return Linear(Reduced(self._run, self._run.maps(self._patterns), policy))
        if policy.folds:
            settled = self._steps > 1 and sum(units.size for units in flips[:-1]) < SETTLED
            return Folded(self._run, self._run.maps(self._patterns), policy) if settled else self
        departures = self._departed.count(flips)
        self._departures += SLOW_SMOOTHING * (departures - self._departures)
        if self._departures < FOLD_ABOVE / 2:
            return Reduced(self._run, self._run.maps(self._patterns), policy)
        return self


class Folded:
    """All layers below the last as one linear map."""

    def __init__(self, run: Run, maps: PatternMaps, policy: Policy):
        self._run, self._policy = run, policy
        self._network = FoldedNetwork(_fresh(maps), run.form.observed)
        self._steps, self._departures = 0, REDUCE_BELOW

    def step(self) -> Regime:
        """Take one step; then use the reduced network, if few units leave their pattern."""
        run, network, moved = self._run, self._network, self._run.stride
        run.advance()
        run.loss, first, departures = network.loss(run.code)
        if run.negated(moved, first):
            return Direct(run, self._policy, None)
        run.take(network.vector())
        self._steps += 1
        self._policy.count(flipped=True)
        self._departures += SMOOTHING * (departures - self._departures)
        if self._steps > DWELL and self._departures < REDUCE_BELOW:
            return Reduced(run, _fresh(network.maps), self._policy)
        if network.maps.updates > MOST_UPDATES:
            return Folded(run, network.maps, self._policy)
        return self


class Reduced:
    """The linear map of the whole network and the units that flip."""

    def __init__(self, run: Run, maps: PatternMaps, policy: Policy, jacobian: Matrix | None = None):
        self.run, self.policy = run, policy
        self.network = ReducedNetwork(maps, run.form.observed, jacobian)
        self._steps, self._departures, self._left = 0, 0.0, b""
        self._watch: Watch | None = None
        self._watched, self._unwatched, self._pause = 0, 0, 0

    def step(self) -> Regime:
        """Take one step; then use closed form if nothing flips, or `Folded` if too much does."""
        moved = self.run.stride
        self.run.advance()
        return self.follow(moved)

    def follow(self, moved: float) -> Regime:
        """Evaluate at the code, which moved by at most `moved`, and give the next regime."""
        run, network = self.run, self.network
        if not self._is_watched(moved) and not self._is_resolved():
            return Direct(run, self.policy, moved)
        if run.negated(moved):
            return Direct(run, self.policy, None)
        run.take(network.vector())
        self._steps += 1
        left = network.left()
        self.policy.count(left != self._left)
        self._left = left
        if self.policy.is_quiet:
            return Linear(self.absorbed() if network.candidates else self)
        if self._steps > DWELL and self._departures > FOLD_ABOVE:
            if not self.policy.folds:
                return Direct(run, self.policy, None)
            return Folded(run, self._present_maps(), self.policy)
        if network.candidates > MOST_CANDIDATES:
            return self.absorbed()
        return self

    def unwatch(self) -> None:
        """Drop the watch, which does not know of steps taken by other regimes."""
        self._watch = None

    def absorbed(self) -> "Reduced":
        """Give a reduced network with the present pattern as its base."""
        jacobian = self.network.present_jacobian()
        maps = self._present_maps()
        return Reduced(self.run, maps, self.policy, jacobian if maps.updates else None)

    def _present_maps(self) -> PatternMaps:
        maps = self.network.base
        for layer in range(maps.depth):
            units = self.network.departed(layer)
            if units.size:
                maps.flip(layer, units)
        return _fresh(maps)

    def _is_watched(self, moved: float) -> bool:
        """Compute the loss under the watch, if there is one that covers the code."""
        watch, run = self._watch, self.run
        if watch is None:
            return False
        if watch.covers(run.code, moved):
            run.loss = self.network.loss(run.code)
            added = watch.admit(run.code)
            if added is not None:
                if added:
                    run.loss = self.network.last_loss()
                self._departures += SMOOTHING * (added - self._departures)
                self._watched += 1
                return True
        # After a watch that ended soon, the next one waits.
        short = self._watched < SHORT_WATCH
        self._pause = min(2 * self._pause + SHORT_WATCH, LONGEST_PAUSE) if short else 0
        self._watch, self._unwatched = None, 0
        return False

    def _is_resolved(self) -> bool:
        """Compute the loss with all units that left the base as candidates, if there is room."""
        added = self.network.resolve(self.run.code)
        if added is None:
            return False
        self._departures += SMOOTHING * (added - self._departures)
        self.run.loss = self.network.loss(self.run.code)
        self._unwatched += 1
        if self._unwatched > self._pause:
            self._watch, self._watched = Watch(self.network, self.run.code), 0
        return True


class Linear:
    """Many steps at once, in closed form, where no unit flips.

    Args:
        reduced: the regime that continues where a unit flips; without candidates.
    """

    def __init__(self, reduced: Reduced):
        self._reduced, self._run, self._steps = reduced, reduced.run, 0
        reduced.unwatch()
        self._region = LinearRegion(reduced.network.jacobian, self._run.method.step_size)
        # The coordinates of v shrink to their last digits: they must be exact at the start.
        self._run.settle()

    def step(self) -> Regime:
        """Take as many steps as are certain; the reduced network continues after a flip."""
        run, region, network = self._run, self._region, self._reduced.network
        region.enter(run.code, run.vector)
        # Within rounding of a kink the maps may have another pattern than the network.
        agree = network.resolve(run.code) == 0
        if not agree or (steps := self._certain_steps()) == 0:
            self._reduced.policy.learn(0)
            if not self._reduced.policy.reduces:
                return Plain(run, self._reduced.policy).step()
            return self._reduced.step()
        flip = region.first_flip(*network.near(region.reach(steps)), steps)
        if flip > steps:
            self._move(steps)
            run.settle()
            return self
        if flip > 1:
            run.best_loss = min(run.best_loss, network.loss(region.code(flip - 1)))
        moved = self._move(flip)
        self._reduced.policy.learn(self._steps)
        after = self._reduced.follow(moved)
        return after if self._reduced.policy.reduces else Plain(run, self._reduced.policy)

    def _certain_steps(self) -> int:
        """Give the steps that v and f(−x) allow at once; 0 if they are too few to pay."""
        run, region = self._run, self._region
        if not region.contracts:
            return 0
        wanted = region.first_below(run.method.tolerance * NEAR, run.horizon)
        steps = region.last_within(run.sure_radius(region.reach(wanted)), wanted)
        return steps if steps == wanted or steps >= self._reduced.policy.price else 0

    def _move(self, steps: int) -> float:
        """Take steps; give the distance."""
        run, before = self._run, self._run.code
        run.jump(self._region.code(steps), steps)
        self._steps += steps
        away = run.code - before
        return sqrt(away.dot(away))


def _fresh(maps: PatternMaps) -> PatternMaps:
    """Give the maps, computed again if many updates have left rounding errors in them."""
    if maps.updates <= MOST_UPDATES:
        return maps
    return PatternMaps(maps.weights, maps.sensing, maps.patterns)
