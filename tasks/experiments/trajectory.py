"""The experiment `trajectory`: iterates of descents from a circle on a plane of codes.

It draws the same problem and the same plane as the experiment `landscape`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from ...sweeps import Draws, Grid, SweepError
from ...sweeps.parameter import quantity
from ...sweeps.tables import Strict
from ...sweeps.variables import Flag, Variable
from ..checks import check_points
from ..experiment import NETWORK, PROBLEM, Experiment
from ..instance import mirror_ratio_of
from ..problems import check_point, check_sweep
from ..solvers import Subgradient
from ..solvers.descent import State
from ..unused import LANDSCAPE_RULES, refuse_unused
from .landscape import Landscape, LastDrawn, check_plane, draw_plane
from .recovery import LOSS_UNITS, VECTOR_UNITS, Recovery, errors

if TYPE_CHECKING:
    from ..point import Point

# Increase it whenever a stored number may change.
TRAJECTORY_VERSION = 1
STEP = "trajectory.step"
AT_TARGET = 0.25  # below this relative latent error a descent ended at x*, with noise or without
AT_MIRROR = 0.75  # below this distance it ended at the mirror, in lengths of the mirror point
STEPS_OF_A_PATH = 100  # values of `step` that share a descent, assumed by `pilot`
MOST_KEPT = 360  # descents that a worker keeps, to continue them


class End(IntEnum):
    """Where a descent ended, or that it has not; the numbers are stored."""

    RUNNING = 0
    TARGET = 1
    MIRROR = 2
    ELSEWHERE = 3


ENDS = tuple(end.name.lower() for end in End)
VARIABLES = (
    Variable("along", "float64", "coordinate of the iterate along the true code", "‖x*‖"),
    Variable("across", "float64", "coordinate of the iterate along the plane's other axis", "‖x*‖"),
    Variable("off_plane", "float64", "distance of the iterate from the plane", "‖x*‖"),
    Variable(
        "latent_error",
        "float64",
        "relative latent error ‖x − x*‖/‖x*‖",
        symbol="relative latent error $\\|\\hat x - x^*\\|/\\|x^*\\|$",
    ),
    Variable("loss", "float64", "loss f(x)", LOSS_UNITS, symbol="loss $f(\\hat x)$"),
    Variable("descent_norm", "float64", "norm of the descent vector ‖v(x)‖", VECTOR_UNITS),
    Variable("negations", "int64", "times x was replaced by −x up to there"),
    Variable(
        "steps", "int64", "steps taken: fewer than asked for once the descent has ended", "steps"
    ),
    Variable(
        "end",
        "int8",
        "where the descent ended, or that it goes on",
        flags=tuple(Flag(end.value, end.name.lower()) for end in End),
    ),
)


class TrajectoryTable(Strict):
    """Where a descent starts, and after how many steps its iterate is stored.

    It starts at x = radius·‖x*‖ (cos(angle)·e_1 + sin(angle)·e_2). The unit vector e_1 has the
    direction of x*, e_2 a random direction orthogonal to it. No draw depends on these parameters.
    """

    angle: float = quantity(0.0, "angle of the start, from the true code", "degree", ge=0, lt=360)
    radius: float = quantity(1.4, "distance of the start from 0", "‖x*‖", gt=0, le=1e6)
    step: int = quantity(
        0,
        "steps of the descent after which its iterate is stored",
        "steps",
        ge=0,
        le=1_000_000_000,
        symbol="steps",
    )


def table_of(point: Point) -> TrajectoryTable:
    """Give the table `trajectory` of a point, which this experiment adds to points."""
    table: TrajectoryTable = point.trajectory  # type: ignore[attr-defined]
    return table


def start_place(angle: float, radius: float) -> tuple[float, float]:
    """Compute the coordinates (along, across) of a start from its angle in degrees and radius."""
    turned = np.deg2rad(angle)
    return radius * float(np.cos(turned)), radius * float(np.sin(turned))


class Path:
    """A descent that is run step by step and can be continued.

    Args:
        plane: the problem and the plane.
        start: coordinates (along, across) of the start, in units of ‖x*‖.
        max_steps: step budget.

    Attributes:
        state: the last iterate.
        steps: number of steps taken.
    """

    def __init__(self, plane: Landscape, start: tuple[float, float], max_steps: int):
        self._instance, self._max_steps = plane.instance, max_steps
        self.state: State = plane.instance.method.start(
            plane.instance.objective, plane.code(*start)
        )
        self.steps = 0

    @property
    def has_ended(self) -> bool:
        """Whether the descent has converged, diverged or spent its step budget."""
        finished = self._instance.method.finished(self.state) is not None
        return finished or self.steps >= self._max_steps

    def step(self) -> None:
        """Take one step."""
        self.state = self._instance.method.step(self._instance.objective, self.state)
        self.steps += 1


class Descents:
    """The descents on one drawn plane. Each can be continued from its last iterate."""

    def __init__(self, plane: Landscape, max_steps: int):
        self.plane, self._max_steps = plane, max_steps
        self._paths: dict[tuple[float, float], Path] = {}

    def after(self, step: int, start: tuple[float, float]) -> Path:
        """Run a descent up to a step: continue it, or run it again if it is further.

        Args:
            step: number of steps.
            start: coordinates (along, across) of the start, in units of ‖x*‖.

        Returns:
            The descent; with fewer steps if it has ended.
        """
        path = self._paths.get(start)
        if path is None or path.steps > step:
            if len(self._paths) >= MOST_KEPT:
                self._paths.clear()
            path = self._paths[start] = Path(self.plane, start, self._max_steps)
        while path.steps < step and not path.has_ended:
            path.step()
        return path


def _draw_descents(origin: Point, draws: Draws) -> Descents:
    return Descents(draw_plane(origin, draws), origin.solver.max_steps)


class TrajectoryTrial(NamedTuple):
    """A trial: the point, with its start and step, and the descents on the drawn plane."""

    point: Point
    descents: Descents

    def run(self) -> dict[str, int | float]:
        """Descend up to the step; give a value for each of `VARIABLES`."""
        table = table_of(self.point)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            path = self.descents.after(table.step, start_place(table.angle, table.radius))
            return tell(self.point, self.descents.plane, path)


def _told_from(drawn: LastDrawn[Descents], point: Point, draws: Draws) -> TrajectoryTrial:
    origin = point.model_copy(update={"trajectory": TrajectoryTable()})
    return TrajectoryTrial(point, drawn(origin, draws))


def tell(point: Point, plane: Landscape, path: Path) -> dict[str, int | float]:
    """Measure the last iterate of a descent; give a value for each of `VARIABLES`."""
    state, instance = path.state, plane.instance
    along, across = plane.coordinates(state.code)
    away = np.linalg.norm(state.code - plane.code(along, across)) / plane.size
    measured = errors(point, instance, state.code)
    values = {
        "along": along,
        "across": across,
        "off_plane": away,
        "latent_error": measured["latent_error"],
        "loss": state.loss + instance.objective.problem.offset,
        "descent_norm": state.gradient_norm,
    }
    # NaN means "not run" in the store.
    told = {name: np.inf if np.isnan(value) else float(value) for name, value in values.items()}
    end = _end(point, measured) if path.has_ended else End.RUNNING
    return told | {"negations": state.negations, "steps": path.steps, "end": int(end)}


def _end(point: Point, measured: dict[str, float]) -> End:
    if measured["latent_error"] < AT_TARGET:
        return End.TARGET
    is_mirror = measured["mirror_error"] < AT_MIRROR * mirror_ratio_of(point)
    return End.MIRROR if is_mirror else End.ELSEWHERE


class Trajectory(Experiment):
    """The experiment `trajectory`: iterates of descents from a circle on a plane.

    A worker computes the values of `trajectory.step` one after the other and continues its
    descents. So all values together cost as much as one descent.
    """

    name: ClassVar[str] = "trajectory"
    version: ClassVar[int] = TRAJECTORY_VERSION
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    inner: ClassVar[tuple[str, ...]] = ("trajectory.angle", "trajectory.radius", STEP)
    table: ClassVar[tuple[str, type[Strict]] | None] = ("trajectory", TrajectoryTable)
    parameters: ClassVar[tuple[str, ...] | None] = (*PROBLEM, *NETWORK, *Subgradient.uses)

    def check(self, grid: Grid) -> None:
        """Refuse parameters that do not fit the problem, and a sweep without an axis of steps.

        Raises:
            SweepError: names the point, the parameter or the missing axis.
        """
        if len(grid.sweep.axes.get(STEP, ())) < 2:
            raise SweepError(
                f"task 'trajectory' needs the axis '{STEP}' with two values or more; give it a "
                'range, as in "0:200:5".'
            )
        check_sweep(grid)
        check_points(grid, _check_plane)
        refuse_unused(grid, LANDSCAPE_RULES)

    def check_point(self, point: Point) -> None:
        """Refuse a point that its problem or its generator does not allow, or that has no plane.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        check_point(point)
        _check_plane(point)

    def draw(self, point: Point, draws: Draws) -> TrajectoryTrial:
        """Draw problem and plane."""
        return _told_from(LastDrawn(_draw_descents), point, draws)

    def sampler(self) -> Callable[[Point, Draws], TrajectoryTrial]:
        """Give what draws problem and plane once for all starts and steps of a trial."""
        # A subclass may draw otherwise.
        if type(self).draw is not Trajectory.draw:
            return self.draw
        return partial(_told_from, LastDrawn(_draw_descents))

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a trial in seconds.

        Many values of `trajectory.step` share a draw and a descent, so each costs a part of them.
        """
        table, begun = table_of(point), time.thread_time()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            plane = draw_plane(point, draws)
            path = Path(plane, start_place(table.angle, table.radius), point.solver.max_steps)
            drawn = time.thread_time()
            while path.steps < table.step and not path.has_ended:
                if time.thread_time() - begun > seconds:
                    break
                path.step()
            stepped = time.thread_time()
            tell(point, plane, path)
        told = time.thread_time() - stepped
        left = 0 if path.has_ended else min(table.step, point.solver.max_steps) - path.steps
        stepping = (stepped - drawn) * (1 + left / max(path.steps, 1))
        return told + (drawn - begun + stepping) / STEPS_OF_A_PATH

    def memory(self, point: Point) -> int:
        """Count the bytes held at once: iterates, and two draws while one replaces the other."""
        solver = point.solver.model_copy(update={"engine": "plain"})
        drawn = Recovery().memory(point.model_copy(update={"solver": solver}))
        return 2 * drawn + 8 * 2 * point.k * MOST_KEPT


def _check_plane(point: Point) -> None:
    check_plane(point, Trajectory.name)
