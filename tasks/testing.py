"""Checks for classes of one's own: whether they keep the contracts that genprior relies on.

Each check raises AssertionError, with one line that says what is wrong. Built-in classes pass them.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..sweeps import Draws, Purpose, draws_of
from ..sweeps.parameters import make_point
from .experiment import Experiment
from .generators import GENERATORS, Generator
from .generators import check_generator as check_generator_of
from .instance import Instance, draw_problem
from .numerics.network import Network
from .problems import PROBLEMS, Problem, check_point
from .registry import Registry
from .solvers import SOLVERS, Solution, Solver
from .solvers.descent import Verdict
from .trial_values import TrialValueError, values_check

if TYPE_CHECKING:
    from .point import Point

SEED = 2024
SIGNALS = 3  # at which a gradient is compared with differences
STEP = 1e-6  # of a difference, relative to the signal's norm
CLOSE = 1e-5  # relative error of a gradient, in its norm
NETWORK = {"k": 2, "depth": 2, "widths": (20, 40)}


def check_problem(problem: type[Problem], /, **parameters: Any) -> None:
    """Check that a class keeps the contract of a problem.

    Draws depend on the streams only; losses are not negative; the gradient agrees with differences
    of the loss; shapes and lengths are as stated; `quadratic` is the loss; a missing parameter is
    refused in one line.

    Args:
        problem: the class; it need not be registered.
        parameters: of the point of the check, as in a sweep file; a small network is the default.

    Raises:
        AssertionError: says what is wrong.
    """
    with _findable(PROBLEMS, problem) as name:
        given = {"problem": name, **NETWORK, **_needed(problem.uses), **parameters}
        point = make_point(given)
        check_point(point)
        signal = _signal(point)
        drawn = _same_draws(lambda draws: problem.draw(point, signal, draws), point)
        for seen in _signals(point):
            _check_loss(problem, drawn, point, seen)
        _require(drawn.curvature() > 0, f"{name}: curvature is {drawn.curvature()}, not above 0.")
        _require(drawn.scale() > 0, f"{name}: scale is {drawn.scale()}, not above 0.")
        _require(drawn.step_size(point) > 0, f"{name}: step_size is not above 0.")
        _require(problem.entries(point) >= 0, f"{name}: entries is negative.")
        for lacking in ("m", "samples"):
            if lacking in problem.uses:
                _refuses(problem.check, point.model_copy(update={lacking: 0}), f"no {lacking}")


def check_generator(generator: type[Generator], /, **parameters: Any) -> None:
    """Check that a class keeps the contract of a generator.

    Draws depend on the stream only; layers chain from k to the widths; codes have k coordinates and
    signals that are neither 0 nor infinite; sizes are positive.

    Args:
        generator: the class; it need not be registered.
        parameters: of the point of the check, as in a sweep file; a small network is the default
            if the generator does not set its shape.

    Raises:
        AssertionError: says what is wrong.
    """
    with _findable(GENERATORS, generator) as name:
        sizes = NETWORK if generator.shape is None else {}
        point = make_point({"generator": name, "m": 5, **sizes, **parameters})
        check_generator_of(point)
        network = _same_draws(lambda draws: generator.draw(draws(Purpose.NETWORK), point), point)
        _require(isinstance(network, Network), f"{name}: draw gives no Network.")
        widths = tuple(weight.shape[0] for weight in network.weights)
        _require(
            widths == tuple(point.widths),
            f"{name}: widths are {widths}, not {point.widths}.",
        )
        below = network.weights[0].shape[1]
        _require(below == point.k, f"{name}: the first layer takes {below} numbers, k={point.k}.")
        code = generator.draw_code(np.random.default_rng(SEED), network, point)
        _require(np.shape(code) == (point.k,), f"{name}: a code has the shape {np.shape(code)}.")
        norm = float(np.linalg.norm(network(code)))
        _require(0 < norm < np.inf, f"{name}: the signal of a drawn code has the norm {norm}.")
        _require(generator.curvature(point) > 0, f"{name}: curvature is not above 0.")
        _require(generator.start_scale(point) > 0, f"{name}: start_scale is not above 0.")
        held = sum(np.prod(w.shape) if generator.is_dense else w.size for w in network.weights)
        _require(
            generator.entries(point) >= held,
            f"{name}: entries is {generator.entries(point)}, and the weights are {held} numbers.",
        )


def check_solver(solver: type[Solver], /, **parameters: Any) -> None:
    """Check that a class keeps the contract of a solver.

    The same draws give the same solution, the hidden target does not change it, the loss is that of
    the code, and shapes are as stated.

    Args:
        solver: the class; it need not be registered.
        parameters: of the point of the check, as in a sweep file; a small network and 30
            measurements are the default.

    Raises:
        AssertionError: says what is wrong.
    """
    with _findable(SOLVERS, solver) as name:
        settings = {"method": name, **parameters.pop("solver", {})}
        given = {**NETWORK, "m": 30, "solver": settings, **parameters}
        point = make_point(given)
        solver.check(point)
        solved = _same_draws(lambda draws: _solve(solver, point, draws), point)
        blind = _solve(solver, point, draws_of(point, 0, SEED), hide=True)
        _require(
            _bytes(blind) == _bytes(solved), f"{name}: the true code or signal decides its result."
        )
        _require(isinstance(solved, Solution), f"{name}: solve gives no Solution.")
        _require(isinstance(solved.verdict, Verdict), f"{name}: verdict is no Verdict.")
        _require(solved.steps >= 0, f"{name}: steps is {solved.steps}.")
        if solved.code is None:
            _require(
                np.shape(solved.signal) == (point.n,), f"{name}: ŷ does not have the shape (n,)."
            )
        else:
            _require(
                np.shape(solved.code) == (point.k,), f"{name}: x̂ does not have the shape (k,)."
            )
            objective = draw_problem(point, draws_of(point, 0, SEED)).objective
            loss = objective.evaluate(objective.first(np.asarray(solved.code))).loss
            _require(
                np.isclose(solved.loss, loss + objective.problem.offset, rtol=1e-6, atol=1e-12),
                f"{name}: its loss is {solved.loss}, but that of its code is {loss}.",
            )


def check_experiment(experiment: type[Experiment], /, **parameters: Any) -> None:
    """Check that a class keeps the contract of an experiment.

    The same draws give the same trial, and a second run of it the same values; there is a value for
    each variable and none is NaN, which means *not run*; it can be pickled for workers.

    Args:
        experiment: the class; it need not be registered.
        parameters: of the point of the check, as in a sweep file; a small network is the default.

    Raises:
        AssertionError: says what is wrong.
    """
    from cloudpickle import dumps

    kind = experiment()
    name = kind.name
    point = make_point({**NETWORK, **parameters})
    kind.check_point(point)
    dumps(kind)
    values = _same_draws(lambda draws: kind.draw(point, draws).run(), point)
    trial = kind.draw(point, draws_of(point, 0, SEED))
    _require(
        _bytes(trial.run()) == _bytes(trial.run()), f"{name}: a second run of a trial differs."
    )
    named = [variable.name for variable in kind.variables]
    _require(len(set(named)) == len(named) > 0, f"{name}: its variables are {named}.")
    try:
        values_check(kind.variables)(values)
    except TrialValueError as error:
        raise AssertionError(f"{name}: {error}.") from None
    _require(kind.memory(point) >= 0, f"{name}: memory is negative.")
    seconds = kind.pilot(point, draws_of(point, 0, SEED), 0.1)
    _require(0 <= seconds < np.inf, f"{name}: the pilot gives {seconds} seconds.")


def _check_loss(problem: type[Problem], drawn: Problem, point: Point, signal: Any) -> None:
    name, misfit = problem.name, drawn.misfit(signal)
    _require(misfit.loss >= 0, f"{name}: the loss is {misfit.loss}, below 0.")
    length = np.size(misfit.residual)
    _require(
        length == problem.residuals(point),
        f"{name}: a residual has {length} numbers, but residuals says {problem.residuals(point)}.",
    )
    gradient = np.asarray(drawn.gradient(misfit))
    _require(gradient.shape == (point.n,), f"{name}: a gradient has the shape {gradient.shape}.")
    step = STEP * float(np.linalg.norm(signal))
    slopes = np.array(
        [
            (drawn.misfit(signal + shift).loss - drawn.misfit(signal - shift).loss) / (2 * step)
            for shift in step * np.eye(point.n)
        ]
    )
    away = float(np.linalg.norm(gradient - slopes) / np.linalg.norm(slopes))
    _require(away < CLOSE, f"{name}: the gradient is off by {away:.1e} of the loss's differences.")
    if problem.sign_blind:
        other = drawn.misfit(-signal).loss
        _require(np.isclose(other, misfit.loss), f"{name}: y and −y have different losses.")
    if (form := drawn.quadratic()) is not None:
        seen = form.sensing @ signal
        seen = np.abs(seen) if problem.phaseless else seen
        loss = 0.5 * float(np.sum((seen - form.observed) ** 2))
        _require(
            np.isclose(loss, misfit.loss),
            f"{name}: quadratic gives the loss {loss}, but misfit {misfit.loss}.",
        )


def _solve(solver: type[Solver], point: Point, draws: Draws, hide: bool = False) -> Solution:
    instance: Instance = draw_problem(point, draws)
    if hide:
        instance = instance._replace(
            target=np.full_like(instance.target, np.nan),
            signal=np.full_like(instance.signal, np.nan),
        )
    return solver.solve(point, instance, draws)


def _same_draws(draw: Callable[[Draws], Any], point: Point) -> Any:
    """Draw twice from the same streams; what NumPy draws without a stream differs each time."""
    first, second = (draw(draws_of(point, 0, SEED)) for _ in range(2))
    _require(_bytes(first) == _bytes(second), "two draws from the same streams differ.")
    return first


def _bytes(drawn: Any) -> bytes:
    """Give all numbers that an object holds, as bytes."""
    return pickle.dumps(_plain(drawn))


def _plain(drawn: Any) -> Any:
    if isinstance(drawn, dict):
        return [(str(key), _plain(value)) for key, value in drawn.items()]
    if isinstance(drawn, tuple | list):
        return [_plain(value) for value in drawn]
    if hasattr(drawn, "toarray"):
        return _plain(drawn.toarray())
    if isinstance(drawn, np.ndarray):
        return [drawn.shape, drawn.tobytes()]
    if isinstance(drawn, np.generic | int | float | str | None):
        return repr(drawn)
    return [type(drawn).__name__, _plain(getattr(drawn, "__dict__", {}))]


def _needed(uses: tuple[str, ...]) -> dict[str, Any]:
    """Give values for the parameters that a problem needs."""
    given = {"m": 30, "samples": 50}
    needed: dict[str, Any] = {name: value for name, value in given.items() if name in uses}
    if "dither.amplitude" in uses:
        needed["dither"] = {"amplitude": 3.0}
    return needed


def _signal(point: Point) -> np.ndarray:
    signal = np.random.default_rng(SEED).standard_normal(point.n)
    return signal / float(np.linalg.norm(signal))


def _signals(point: Point) -> Iterator[np.ndarray]:
    random = np.random.default_rng(SEED + 1)
    for _ in range(SIGNALS):
        yield random.standard_normal(point.n) / np.sqrt(point.n)


def _refuses(check: Callable[[Point], None], point: Point, what: str) -> None:
    try:
        check(point)
    except ValueError as error:
        _require("\n" not in str(error), f"{what} is refused in more than one line.")
    else:
        raise AssertionError(f"{what} is not refused by check.")


@contextmanager
def _findable(registry: Registry[Any], found: type[Any]) -> Iterator[str]:
    """Register a class for a while, unless sweep files can name it already; give its name."""
    name = str(getattr(found, "name", ""))
    if registry.built_in.get(name) is found or registry.origin(name):
        yield name
        return
    registry.register(found)
    try:
        yield name
    finally:
        registry.forget(name)


def _require(holds: Any, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
