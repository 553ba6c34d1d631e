"""A drawn problem: network, target, data, and the start of descent."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..sweeps import Purpose, draws_of
from .generators import draw_network, generator_class
from .numerics.latent_loss import LatentLoss
from .numerics.network import Network, Vector
from .problems import Problem, check_point, problem_class
from .problems.base import Streams
from .solvers.descent import SubgradientDescent

if TYPE_CHECKING:
    from .point import Point

MAX_TARGET_DRAWS = 1000


class Instance(NamedTuple):
    """A drawn problem: the target, the loss whose minimum it should be, and the start of descent.

    `rivals` are the signals of all listed targets if success is decided by the nearest target.
    """

    objective: LatentLoss
    target: Vector
    signal: Vector
    start: Vector
    method: SubgradientDescent
    rivals: tuple[Vector, ...] = ()


def draw_instance(point: Point, trial: int, seed: int, paired: Collection[str] = ()) -> Instance:
    """Check a point, and draw network, target, data and start of one trial.

    Raises:
        ValueError: the point lacks what its problem needs.
    """
    check_point(point)
    return draw_problem(point, draws_of(point, trial, seed, paired))


def draw_problem(point: Point, stream: Streams) -> Instance:
    """Draw network, target, data and start of one trial.

    Unless it is listed, the target is drawn by its generator and scaled so that ‖G(x*)‖ is the
    point's target norm.

    Args:
        point: all parameters.
        stream: opens the random stream of a purpose.

    Source: Cocola 2022, Appendix H.
    """
    network = draw_network(stream(Purpose.NETWORK), point)
    rivals: tuple[Vector, ...] = ()
    if codes := point.codes:
        target = np.array(codes[point.target])
        signal = network(target)
        if point.success.metric == "nearest_target":
            rivals = tuple(network(np.array(code)) for code in codes)
    else:
        target, signal = draw_target(stream(Purpose.TARGET), network, point)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        problem = problem_class(point.problem).draw(point, signal, stream)
        start = STARTS[point.solver.start](point, network, problem, target, stream)
        method = choose_method(point, problem)
    return Instance(LatentLoss(network, problem), target, signal, start, method, rivals)


def _gaussian_start(
    point: Point, network: Network, problem: Problem, target: Vector, stream: Streams
) -> Vector:
    return stream(Purpose.START).standard_normal(point.k) * start_scale(point, problem)


def _mirror_start(
    point: Point, network: Network, problem: Problem, target: Vector, stream: Streams
) -> Vector:
    return -problem.mirror_ratio(point.relu_layers) * target


def _ones_start(
    point: Point, network: Network, problem: Problem, target: Vector, stream: Streams
) -> Vector:
    return np.full(point.k, start_scale(point, problem))


def _prior_start(
    point: Point, network: Network, problem: Problem, target: Vector, stream: Streams
) -> Vector:
    return draw_target(stream(Purpose.START), network, point)[0]


# The first iterate, by the value of `solver.start`.
STARTS = {
    "gaussian": _gaussian_start,
    "mirror": _mirror_start,
    "ones": _ones_start,
    "prior": _prior_start,
}


def start_scale(point: Point, problem: Problem) -> float:
    """Give the factor on a start that is drawn or all ones: the point's, or the problem's."""
    scale = point.solver.start_scale
    return problem.start_scale(point) if scale is None else scale


def choose_method(point: Point, problem: Problem) -> SubgradientDescent:
    """Make the descent with the point's step size and tolerance, or the problem's."""
    step, tolerance = point.solver.step, point.solver.tolerance
    return SubgradientDescent(
        problem.step_size(point) if step is None else step,
        problem.tolerance(point) if tolerance is None else tolerance,
        point.solver.negation,
    )


def draw_target(
    random: np.random.Generator, network: Network, point: Point
) -> tuple[Vector, Vector]:
    """Draw x* and y* = G(x*) of the point's norm; codes with the signal 0 are drawn again.

    A network with biases is not homogeneous: its signals keep their norms.

    Raises:
        ArithmeticError: no code in a thousand draws has a signal that is neither 0 nor infinite.
    """
    generator = generator_class(point.generator)
    for _ in range(MAX_TARGET_DRAWS):
        code = generator.draw_code(random, network, point)
        with np.errstate(over="ignore", invalid="ignore"):
            signal = network(code)
            drawn = np.linalg.norm(signal) / point.target_norm
        if 0 < drawn < np.inf:
            return (code / drawn, signal / drawn) if network.is_homogeneous else (code, signal)
    raise ArithmeticError(
        f"no code in {MAX_TARGET_DRAWS} draws gives a signal that is neither 0 nor infinite: the "
        "network is too narrow, or its gain too small or too large for its depth."
    )


def mirror_ratio_of(point: Point) -> float:
    """Give the length ρ of the mirror point −ρ x*, relative to ‖x*‖; NaN if there is none."""
    if not generator_class(point.generator).has_mirror:
        return np.nan
    return problem_class(point.problem).mirror_ratio(point.relu_layers)
