"""The ways in which the fast engine takes a step, and when each pays.

- `Direct`: the whole network, as in the plain engine; f(−x) only where it is not certain.
- `Folded`: all layers but the last as one linear map, changed as units flip.
- `Reduced`: the linear map of the whole network, and the few units that flip.
- `Linear`: many steps at once, in closed form, where no unit flips.

What pays is decided by counts: of units that flip, of steps without a flip, of operations.
"""

from math import ceil, sqrt
from typing import Protocol

import numpy as np

from .linear_region import LinearRegion
from .maps import FoldedNetwork, PatternMaps
from .network import Matrix
from .reduced import ReducedNetwork
from .run import NEAR, Run
from .watch import Watch

LARGE = 60_000  # entries of W_2 … W_d and A from which maps are cheaper than the network
SETTLED = 40  # departures in a step up to which maps can follow
FOLD_ABOVE, REDUCE_BELOW = 4.0, 0.7  # departures a step
SMOOTHING = 0.15  # weight of the latest step in a mean number of departures
DWELL = 4  # steps that a regime stays at least
SHORT_WATCH = 8  # steps that a watch must last to pay
LONGEST_PAUSE = 32  # steps without one
MOST_CANDIDATES = 96
MOST_UPDATES = 300  # of maps, before they are computed anew
LONGEST_WAIT = 16  # times the first one


class Quiet:
    """When steps in closed form pay: after as many steps without a flip as they cost.

    A region that is left sooner than that doubles the wait for the next one.

    Args:
        k: latent dimension.
    """

    def __init__(self, k: int):
        # Microseconds: maps and eigenvectors of a region, against a step of the reduced network.
        self._first = ceil((150 + 0.09 * k * k) / (30 + 0.15 * k))
        self._wait, self._steps = self._first, 0

    def count(self, flipped: bool) -> None:
        """Count a step."""
        self._steps = 0 if flipped else self._steps + 1

    @property
    def long(self) -> bool:
        """Whether no unit has flipped for long enough."""
        return self._steps >= self._wait

    def learn(self, steps: int) -> None:
        """Heed how long a region lasted."""
        self._steps = 0
        longest = LONGEST_WAIT * self._first
        self._wait = self._first if steps >= self._wait else min(2 * self._wait, longest)


class Regime(Protocol):
    """A way to take steps."""

    def step(self) -> "Regime":
        """Take the run a step on, or many, and name the regime that shall go on."""
        ...


class Direct:
    """The whole network at each step.

    Args:
        run: the run, whose code is new.
        quiet: counts the steps without a flip.
        moved: bounds the way since f(−x) was looked at; None if it need not be at this code.
    """

    def __init__(self, run: Run, quiet: Quiet, moved: float | None):
        self._run, self._quiet = run, quiet
        others = run.problem.network.weights[1:]
        self._is_large = run.problem.sensing.size + sum(w.size for w in others) > LARGE
        self._steps = 0
        self._evaluate(moved)

    def _evaluate(self, moved: float | None) -> None:
        run = self._run
        first = run.problem.first(run.code)
        evaluation = run.evaluate(first)
        if moved is not None and run.negated(moved, first):
            evaluation = run.evaluate(-first)
        run.settle(evaluation)
        self._patterns = [activation > 0 for activation in evaluation.activations]

    def step(self) -> Regime:
        """One step; then maps, once few enough units flip."""
        before, moved = self._patterns, self._run.stride
        self._run.advance()
        self._evaluate(moved)
        self._steps += 1
        pairs = zip(self._patterns, before, strict=True)
        flips = [np.count_nonzero(now != then) for now, then in pairs]
        self._quiet.count(any(flips))
        if self._quiet.long:
            return Linear(Reduced(self._run, self._maps(), self._quiet))
        if self._is_large and self._steps > 1 and sum(flips[:-1]) < SETTLED:
            return Folded(self._run, self._maps(), self._quiet)
        return self

    def _maps(self) -> PatternMaps:
        problem = self._run.problem
        return PatternMaps(problem.network.weights, problem.sensing, self._patterns)


class Folded:
    """All layers below the last as one linear map."""

    def __init__(self, run: Run, maps: PatternMaps, quiet: Quiet):
        self._run, self._quiet = run, quiet
        self._network = FoldedNetwork(_fresh(maps), run.problem.observed)
        self._steps, self._departures = 0, REDUCE_BELOW

    def step(self) -> Regime:
        """One step; then the reduced network, once few units leave their pattern for good."""
        run, network, moved = self._run, self._network, self._run.stride
        run.advance()
        run.loss, first, departures = network.loss(run.code)
        if run.negated(moved, first):
            return Direct(run, self._quiet, None)
        run.take(network.vector())
        self._steps += 1
        self._departures += SMOOTHING * (departures - self._departures)
        if self._steps > DWELL and self._departures < REDUCE_BELOW:
            return Reduced(run, _fresh(network.maps), self._quiet)
        if network.maps.updates > MOST_UPDATES:
            return Folded(run, network.maps, self._quiet)
        return self


class Reduced:
    """The linear map of the whole network and the units that flip."""

    def __init__(
        self, run: Run, maps: PatternMaps, quiet: Quiet, jacobian: Matrix | None = None
    ):
        self.run, self.quiet = run, quiet
        self.network = ReducedNetwork(maps, run.problem.observed, jacobian)
        self._steps, self._departures, self._left = 0, 0.0, b""
        self._watch: Watch | None = None
        self._watched, self._unwatched, self._pause = 0, 0, 0

    def step(self) -> Regime:
        """One step; then closed form where nothing flips, or maps that follow if too much does."""
        moved = self.run.stride
        self.run.advance()
        return self.follow(moved)

    def follow(self, moved: float) -> Regime:
        """Evaluate at the code, which has moved so far, and name the regime that shall go on."""
        run, network = self.run, self.network
        if not self._is_watched(moved) and not self._is_resolved():
            return Direct(run, self.quiet, moved)
        if run.negated(moved):
            return Direct(run, self.quiet, None)
        run.take(network.vector())
        self._steps += 1
        left = network.left()
        self.quiet.count(left != self._left)
        self._left = left
        if self.quiet.long:
            return Linear(self.absorbed() if network.candidates else self)
        if self._steps > DWELL and self._departures > FOLD_ABOVE:
            return Folded(run, self._present_maps(), self.quiet)
        if network.candidates > MOST_CANDIDATES:
            return self.absorbed()
        return self

    def absorbed(self) -> "Reduced":
        """The same with the present pattern as its base."""
        jacobian = self.network.present_jacobian()
        maps = self._present_maps()
        return Reduced(self.run, maps, self.quiet, jacobian if maps.updates else None)

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
        # A watch that was soon left is not worth the next one at once.
        short = self._watched < SHORT_WATCH
        self._pause = min(2 * self._pause + SHORT_WATCH, LONGEST_PAUSE) if short else 0
        self._watch, self._unwatched = None, 0
        return False

    def _is_resolved(self) -> bool:
        """Compute the loss, all units that have left the base made candidates, if not too many."""
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
        reduced: the regime that goes on where a unit flips; without candidates.
    """

    def __init__(self, reduced: Reduced):
        self._reduced, self._run, self._steps = reduced, reduced.run, 0
        self._region = LinearRegion(reduced.network.jacobian, self._run.method.step_size)
        # The coordinates of v shrink to its last digits: they must be right in the first place.
        self._run.settle()

    def step(self) -> Regime:
        """As many steps as are certain; the reduced network goes on behind a flip."""
        run, region, network = self._run, self._region, self._reduced.network
        region.enter(run.code, run.vector)
        steps = region.first_below(run.method.tolerance * NEAR, run.horizon)
        if region.contracts and steps:
            steps = region.last_within(run.sure_radius(region.reach(steps)), steps)
        if not region.contracts or not steps:
            self._reduced.quiet.learn(0)
            return self._reduced.step()
        network.resolve(run.code)
        flip = region.first_flip(*network.near(region.reach(steps)), steps)
        if flip > steps:
            self._move(steps)
            run.settle()
            return self
        if flip > 1:
            run.best_loss = min(run.best_loss, network.loss(region.code(flip - 1)))
        moved = self._move(flip)
        self._reduced.quiet.learn(self._steps)
        return self._reduced.follow(moved)

    def _move(self, steps: int) -> float:
        """Take steps; give the distance."""
        run, before = self._run, self._run.code
        run.jump(self._region.code(steps), steps)
        self._steps += steps
        away = run.code - before
        return sqrt(away.dot(away))


def _fresh(maps: PatternMaps) -> PatternMaps:
    """The maps, computed anew if many updates have left their rounding in them."""
    if maps.updates <= MOST_UPDATES:
        return maps
    return PatternMaps(maps.weights, maps.sensing, maps.patterns)
