"""The experiment `landscape`: loss and descent vector at places of a plane of codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from ...sweeps import Draws, Grid, Purpose, SweepError
from ...sweeps.parameter import quantity
from ...sweeps.point import PointBase
from ...sweeps.tables import Strict
from ...sweeps.variables import Variable
from ..checks import check_points
from ..experiment import NETWORK, PROBLEM, Experiment
from ..instance import Instance, draw_problem
from ..numerics.latent_loss import LatentLoss
from ..numerics.network import Matrix, Vector
from ..problems import check_point, check_sweep
from ..solvers import Subgradient
from ..unused import LANDSCAPE_RULES, refuse_unused
from .recovery import LOSS_UNITS, VECTOR_UNITS, Recovery

if TYPE_CHECKING:
    from ..point import Point

Drawn = TypeVar("Drawn")

# Increase it whenever a stored number may change.
LANDSCAPE_VERSION = 1
PLACES_OF_A_DRAW = 100  # for an estimate: few planes have fewer places
VARIABLES = (
    Variable("loss", "float64", "loss f(x)", LOSS_UNITS, symbol="loss $f(\\hat x)$"),
    Variable(
        "descent_along", "float64", "component of the descent vector along the true code",
        VECTOR_UNITS,
    ),
    Variable(
        "descent_across", "float64", "component of the descent vector along the plane's other axis",
        VECTOR_UNITS,
    ),
    Variable("descent_norm", "float64", "norm of the descent vector ‖v(x)‖", VECTOR_UNITS),
)  # fmt: skip


class Plane(Strict):
    """Where on a plane of codes a landscape is looked at: x = ‖x*‖ (along·e_1 + across·e_2).

    e_1 is the direction of x*, e_2 a random one orthogonal to it.
    """

    along: float = quantity(0.0, "coordinate along the true code", "‖x*‖", ge=-1e6, le=1e6)
    across: float = quantity(
        0.0, "coordinate along a random direction orthogonal to the true code", "‖x*‖",
        ge=-1e6, le=1e6,
    )  # fmt: skip


class PlaneParameters(PointBase):
    """Where a landscape is looked at."""

    plane: Plane = Plane()


class Landscape(NamedTuple):
    """A drawn problem and a plane of its latent space.

    Attributes:
        instance: the problem.
        axes: orthonormal e_1 and e_2 as rows, shape (2, k); e_1 is the direction of x*.
        size: ‖x*‖, the unit of coordinates on the plane.
    """

    instance: Instance
    axes: Matrix
    size: float

    def code(self, along: float, across: float) -> Vector:
        """Compute the code x = ‖x*‖ (along·e_1 + across·e_2), shape (k,)."""
        return np.asarray(self.size * (np.array([along, across]) @ self.axes))

    def coordinates(self, code: Vector) -> Vector:
        """Compute the coordinates (along, across) of a code's projection on the plane."""
        return np.asarray(self.axes @ code / self.size)


def draw_plane(point: Point, draws: Draws) -> Landscape:
    """Draw a problem as a recovery trial draws it, and a random plane through 0 and its target."""
    instance = draw_problem(point, draws)
    size = float(np.linalg.norm(instance.target))
    along = instance.target / size
    across = draws(Purpose.PLANE).standard_normal(point.k)
    across -= (across @ along) * along
    return Landscape(instance, np.stack([along, across / np.linalg.norm(across)]), size)


class LastDrawn(Generic[Drawn]):
    """Draws what trials share, and keeps the last one: workers compute a draw's trials in turn.

    Args:
        make: draws it for a point.
    """

    def __init__(self, make: Callable[[Point, Draws], Drawn]):
        self._make = make
        self._kept: tuple[Point, Draws, Drawn] | None = None

    def __call__(self, origin: Point, draws: Draws) -> Drawn:
        """Draw it for a point, or give the last one if that is the same."""
        if self._kept is None or self._kept[:2] != (origin, draws):
            self._kept = None
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self._kept = origin, draws, self._make(origin, draws)
        return self._kept[2]


def evaluate(objective: LatentLoss, code: Vector) -> tuple[float, Vector]:
    """Compute f(x), with the problem's offset, and v(x)."""
    evaluation = objective.evaluate(objective.first(code))
    return evaluation.loss + objective.problem.offset, objective.descent_vector(evaluation)


class Place(NamedTuple):
    """A place of a landscape."""

    landscape: Landscape
    plane: Plane

    def run(self) -> dict[str, int | float]:
        """Evaluate the loss there; give a value for each of `VARIABLES`."""
        landscape = self.landscape
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            code = landscape.code(self.plane.along, self.plane.across)
            loss, vector = evaluate(landscape.instance.objective, code)
            along, across = landscape.axes @ vector
            values = {
                "loss": loss,
                "descent_along": along,
                "descent_across": across,
                "descent_norm": np.linalg.norm(vector),
            }
        # NaN means "not run" in the store.
        return {n: np.inf if np.isnan(value) else float(value) for n, value in values.items()}


def _place(drawn: LastDrawn[Landscape], point: Point, draws: Draws) -> Place:
    return Place(drawn(point.model_copy(update={"plane": Plane()}), draws), point.plane)


def check_plane(point: Point, task: str = "landscape") -> None:
    """Refuse a latent space without a plane, and a true code of 0, which gives no direction.

    Args:
        point: all parameters.
        task: the experiment, for the message.

    Raises:
        ValueError: says which.
    """
    if point.k < 2:
        raise ValueError(f"task '{task}' needs a plane of codes, and k = 1 has none; give k ≥ 2.")
    if point.codes and not any(point.codes[point.target]):
        raise ValueError(f"task '{task}' measures in units of ‖x*‖, and this target code is 0.")


class LandscapeTask(Experiment):
    """The experiment `landscape`: the loss and the descent vector at places of a plane.

    It runs no descent. It has the parameters of one all the same, so that a sweep of the experiment
    `trajectory` on the same planes can have the same tables.
    """

    name: ClassVar[str] = "landscape"
    version: ClassVar[int] = LANDSCAPE_VERSION
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    inner: ClassVar[tuple[str, ...]] = ("plane.along", "plane.across")
    parameters: ClassVar[tuple[str, ...] | None] = (*PROBLEM, *NETWORK, *Subgradient.uses, "plane")

    def check(self, grid: Grid) -> None:
        """Refuse parameters that do not fit the problem, and axes that make no plane.

        Raises:
            SweepError: names the point.
        """
        for name in ("plane.along", "plane.across"):
            if len(grid.sweep.axes.get(name, ())) < 2:
                raise SweepError(
                    f"task 'landscape' needs the axes 'plane.along' and 'plane.across' with two "
                    f"values or more; give '{name}' a range, as in \"-1.5:1.5:0.05\"."
                )
        check_sweep(grid)
        check_points(grid, check_plane)
        refuse_unused(grid, LANDSCAPE_RULES)

    def check_point(self, point: Point) -> None:
        """Refuse a point that its problem or generator does not allow, or that has no plane.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        check_point(point)
        check_plane(point)

    def draw(self, point: Point, draws: Draws) -> Place:
        """Draw problem and plane."""
        return _place(LastDrawn(draw_plane), point, draws)

    def sampler(self) -> Callable[[Point, Draws], Place]:
        """Give what draws problem and plane once for all places of a trial."""
        # A subclass may draw otherwise.
        if type(self).draw is not LandscapeTask.draw:
            return self.draw
        return partial(_place, LastDrawn(draw_plane))

    def pilot(self, point: Point, draws: Draws, seconds: float) -> float:
        """Estimate the processor time of a place, in seconds; many places share a draw."""
        begun = time.thread_time()
        draw_plane(point, draws)
        drawn = time.thread_time()
        draw = self.sampler()
        draw(point, draws).run()
        looked = time.thread_time()
        draw(point, draws).run()
        return time.thread_time() - looked + (drawn - begun) / PLACES_OF_A_DRAW

    def memory(self, point: Point) -> int:
        """Count the bytes held at once: two draws, while one replaces the other."""
        solver = point.solver.model_copy(update={"engine": "plain"})
        return 2 * Recovery().memory(point.model_copy(update={"solver": solver}))
