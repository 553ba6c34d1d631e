"""How long the parts of a trial take, and the fit of a transition."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from genprior.sweeps import Point
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.machine import one_blas_thread
from genprior.tasks.solvers.subgradient import ENGINES
from genprior.tasks.statistics.transitions import fit_transition

SIZES = {"k": 40, "depth": 2, "widths": [700, 650], "m": 300}
FEW = {"k": 2, "depth": 2, "widths": [6, 8], "m": 5}


class OneThread:
    """A benchmark whose products use one thread, as in a worker."""

    def setup(self, *_: Any) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(one_blas_thread())

    def teardown(self, *_: Any) -> None:
        self.stack.close()


class Descents(OneThread):
    """A hundred steps of the descent; the fast engine prepares its maps in them."""

    params = ["fast", "plain"]
    param_names = ["engine"]
    sizes = SIZES
    steps = 100
    small: ClassVar[dict[str, Any]] = {"sizes": FEW, "steps": 2}

    def setup(self, engine: str) -> None:
        super().setup()
        self.instance = draw_instance(Point.model_validate(self.sizes), 0, seed=1)
        self.method = replace(self.instance.method, tolerance=0.0)

    def time_steps(self, engine: str) -> None:
        instance = self.instance
        run = ENGINES[engine](instance.objective, self.method, instance.start, max_steps=self.steps)
        assert run.steps == self.steps


class Draws(OneThread):
    """The random draws of a trial: network, measurements, target, noise and start."""

    params = ["compressed-sensing", "phase-retrieval", "one-bit"]
    param_names = ["problem"]
    sizes = SIZES
    small: ClassVar[dict[str, Any]] = {"sizes": FEW}

    def setup(self, problem: str) -> None:
        super().setup()
        own = {"dither": {"amplitude": 3.0}} if problem == "one-bit" else {}
        self.point = Point.model_validate({"problem": problem, **self.sizes, **own})

    def time_draw(self, problem: str) -> None:
        draw_instance(self.point, 0, seed=1)


class Transitions:
    """A transition in counts of successes."""

    positions = 20
    small: ClassVar[dict[str, Any]] = {"positions": 3}

    def setup(self) -> None:
        self.along = np.arange(self.positions, dtype=float)
        self.runs = np.full(self.positions, 30)
        share = 0.9 / (1 + np.exp(self.positions / 2 - self.along))
        self.successes = np.random.default_rng(0).binomial(self.runs, share)

    def time_fit(self) -> None:
        fit_transition(self.along, self.successes, self.runs, direction=1)
