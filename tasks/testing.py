"""Checks for classes of one's own: whether they keep the contracts that genprior relies on.

Each check raises AssertionError, with one line that says what is wrong. Built-in classes pass them.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from pydantic import ValidationError

from ..sweeps import Draws, Grid, Purpose, Sweep, SweepError, draws_of
from ..sweeps.errors import first_complaint
from ..sweeps.parameter import flat_values
from ..sweeps.parameters import PARAMETERS, facts, make_point, names_with, point_model
from .experiment import Experiment
from .experiments import EXPERIMENTS
from .generators import GENERATORS, Generator
from .generators import check_generator as check_generator_of
from .hooks import is_number, number
from .instance import Instance, draw_problem
from .numerics.network import Network
from .problems import PROBLEMS, Problem, check_point
from .registry import Registry
from .solvers import SOLVERS, Solution, Solver
from .solvers.descent import Verdict
from .trial_values import TrialValueError, values_check

if TYPE_CHECKING:
    from .point import Point

Arguments = ParamSpec("Arguments")

SEED = 2024
SIGNALS = 3  # at which a gradient is compared with differences
STEP = 1e-6  # of a difference, relative to the signal's norm
SIZE = 40  # of a sample, where a problem needs one
MOST_NUMBERS = 1e12  # that a trial of a small point may claim to hold
CLOSE = 1e-5  # relative error of a gradient, in its norm
NETWORK = {"k": 2, "depth": 2, "widths": (20, 40)}


class BrokenError(AssertionError):
    """A class does not keep its contract; the message is one line."""


def told_in_a_line(check: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Have a check raise AssertionError only, whatever the class under test raises."""

    @wraps(check)
    def checked(*given: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            check(*given, **named)
        except BrokenError:
            raise
        except (Exception, SystemExit) as error:
            found = given[0]
            name = getattr(found, "name", None) or getattr(found, "__qualname__", found)
            if isinstance(error, ValidationError):
                raise BrokenError(f"{name}: {first_complaint(error, point_model())}") from None
            said = " ".join(str(error).split())
            raise BrokenError(f"{name}: {type(error).__name__}: {said}") from error

    return checked


@told_in_a_line
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
        given = {"problem": name, **NETWORK, **_needed(problem), **parameters}
        point = make_point(given)
        check_point(point)
        signal = _signal(point)
        drawn = _same_draws(lambda draws: problem.draw(point, signal, draws), point)
        for seen in _signals(point):
            _check_loss(problem, drawn, point, seen)
        _positive(name, "curvature", drawn.curvature())
        _positive(name, "scale", drawn.scale())
        _positive(name, "step_size", drawn.step_size(point))
        _positive(name, "tolerance", drawn.tolerance(point))
        _positive(name, "start_scale", drawn.start_scale(point))
        _require(is_number(drawn.offset), f"{name}: offset is {drawn.offset!r}, and no number.")
        number(name, "mirror_ratio", problem.mirror_ratio(point.relu_layers))
        _entries(name, problem, point)
        number(name, "residuals", problem.residuals(point))
        for asked in ("has_matrix", "has_noise"):
            answer = getattr(problem, asked)(point)
            _require(
                isinstance(answer, bool | np.bool_), f"{name}: {asked} is {answer!r}, not a bool."
            )
        for lacking in names_with("absent"):
            if lacking in problem.uses:
                without = point.model_copy(update={lacking: facts(lacking).absent})
                _refuses(problem.check, without, f"no {lacking}")


@told_in_a_line
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
        _positive(name, "curvature", generator.curvature(point))
        _positive(name, "start_scale", generator.start_scale(point))
        _entries(name, generator, point)
        held = sum(np.prod(w.shape) if generator.is_dense else w.size for w in network.weights)
        _require(
            generator.entries(point) >= held,
            f"{name}: entries is {generator.entries(point)}, and the weights are {held} numbers.",
        )


@told_in_a_line
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
        solver.check_installed()
        _entries(name, solver, point)
        solved = _same_draws(lambda draws: _solve(solver, point, draws), point)
        blind = _solve(solver, point, draws_of(point, 0, SEED), hide=True)
        _require(
            _bytes(blind) == _bytes(solved), f"{name}: the true code or signal decides its result."
        )
        _require(isinstance(solved, Solution), f"{name}: solve gives no Solution.")
        _require(isinstance(solved.verdict, Verdict), f"{name}: verdict is no Verdict.")
        number(name, "steps", solved.steps)
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


@told_in_a_line
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
    with _findable(EXPERIMENTS, experiment) as name:
        _check_trials(name, experiment(), parameters)


def _check_trials(name: str, kind: Experiment, parameters: dict[str, Any]) -> None:
    from cloudpickle import dumps

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
    _plausible(name, "memory", kind.memory(point))
    number(name, "pilot", kind.pilot(point, draws_of(point, 0, SEED), 0.1))
    _check_a_sweep(kind, point)


def _check_a_sweep(kind: Experiment, point: Point) -> None:
    """Call `check` with a sweep of one point, which the experiment may refuse."""
    values = {name: value for name, value in flat_values(point).items() if value is not None}
    given = {
        name: value
        for name, value in values.items()
        if name in PARAMETERS and value not in (PARAMETERS[name].default, ())
    }
    with suppress(SweepError):
        sweep = {"task": kind.name, "trials": 1, "parameters": given}
        kind.check(Grid(Sweep.parse(sweep)))


def _positive(name: str, what: str, value: Any) -> None:
    number(name, what, value)
    _require(value > 0, f"{name}: {what} is {value}, not above 0.")


def _plausible(name: str, what: str, value: Any) -> None:
    number(name, what, value)
    _require(
        value < MOST_NUMBERS,
        f"{name}: {what} is {value:.0e}, too many for a small point.",
    )


def _entries(name: str, found: Any, point: Point) -> None:
    _plausible(name, "entries", found.entries(point))


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


def _needed(problem: type[Problem]) -> dict[str, Any]:
    """Give values for the parameters that a problem needs."""
    sizes = {name: SIZE for name in names_with("absent") if name in problem.uses}
    return {**sizes, **problem.example}


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
        raise BrokenError(f"{what} is not refused by check.")


@contextmanager
def _findable(registry: Registry[Any], found: type[Any]) -> Iterator[str]:
    """Register a class for a while, in place of one of its name; give its name."""
    name = str(getattr(found, "name", ""))
    if any(known is found for known in registry.known()):
        yield name
        return
    with registry.in_place_of(found):
        yield name


def _require(holds: Any, otherwise: str) -> None:
    if not holds:
        raise BrokenError(otherwise)
