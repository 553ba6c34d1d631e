"""A parameter that would do nothing at any point is refused, in one line that names it."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from genprior.sweeps import Grid, Sweep, SweepError, load_sweep, preset_names
from genprior.sweeps.parameters import PARAMETERS, task_has
from genprior.tasks import check_task, task_kind
from genprior.tasks.solvers import Lasso, Subgradient
from genprior.tasks.unused import OF_NO_LANDSCAPE

NETWORK = {"k": 2, "depth": 1, "widths": [9]}
RECOVERY = {"axes": {"m": [4, 5]}, "parameters": NETWORK}
BY_SIGNAL = ("success.metric=signal_error",)
ONE_BIT = ("problem=one-bit", "dither.amplitude=3.0")
CODES = ("target_codes=1 0; 1 1",)
BASES: dict[str, dict[str, Any]] = {
    "recovery": RECOVERY,
    "landscape": {
        "task": "landscape",
        "axes": {"plane.along": [-1, 1], "plane.across": [-1, 1]},
        "parameters": {**NETWORK, "m": 5},
    },
    "condition": {"task": "condition", "parameters": NETWORK},
    "successive-decoding": {
        "task": "successive-decoding",
        "parameters": {"k": 2, "n": 128, "m": 5},
    },
}


def checked(task: str, *settings: str) -> None:
    sweep = Sweep.parse(BASES[task]).override(settings)
    for each in (sweep, sweep.complete()):
        check_task(task_kind(task), Grid(each))


@pytest.mark.parametrize(
    ("task", "settings", "unused", "needed"),
    [
        ("recovery", (), "solver.penalty=0.5", (*BY_SIGNAL, "solver.method=lasso")),
        ("recovery", (), "solver.max_rounds=7", (*BY_SIGNAL, "solver.method=lasso,descent")),
        ("recovery", (), "solver.audit=0.5", ("solver.abandon_after=5",)),
        ("recovery", (), "solver.abandon_factor=4.0", ("solver.abandon_after=0,5",)),
        ("recovery", ("solver.start=prior",), "solver.start_scale=2.0", ("solver.start=ones",)),
        ("recovery", (), "noise.law=laplace", ("noise.sigma=0,0.1",)),
        ("recovery", (), "student_df=3.0", ("ensemble=gaussian,student-t",)),
        ("recovery", ("noise.law=gaussian",), "student_df=3.0",
         ("noise.sigma=0.1", "noise.law=student-t")),
        ("recovery", ("m=4", *ONE_BIT), "noise.law=laplace", ("noise.sigma=0.1",)),
        ("recovery", (*CODES, "success.metric=nearest_target"), "success.below=0.1",
         ("success.metric=signal_error",)),
        ("recovery", (*CODES, "solver.start_scale=1.0"), "target_norm=2.0",
         ("solver.start_scale=default",)),
        ("landscape", CODES, "target_norm=2.0", ("target_codes=default",)),
        ("landscape", (), "student_df=3.0", ("ensemble=student-t",)),
        ("condition", ("search.ascents=0",), "search.steps=9", ("search.ascents=1",)),
        ("condition", ("condition=rric", "m=5"), "student_df=3.0", ("ensemble=student-t",)),
        ("successive-decoding", (), "code.starts=9", ("code.decoder=points,range",)),
        ("successive-decoding", (), "student_df=3.0", ("ensemble=student-t",)),
    ],
)  # fmt: skip
def test_what_nothing_uses_is_refused_and_what_one_point_uses_is_not(
    task: str, settings: tuple[str, ...], unused: str, needed: tuple[str, ...]
) -> None:
    """Defaults written out, as stores have them, are not taken for given."""
    name = unused.split("=")[0]
    checked(task, *settings)
    with pytest.raises(SweepError, match=rf"'{name}'.*=default"):
        checked(task, *settings, unused)
    checked(task, *settings, unused, *needed)


@pytest.mark.parametrize("name", Subgradient.uses)
def test_the_lasso_has_no_setting_of_the_descent(name: str) -> None:
    """Not even a step budget: its own are rounds."""
    lasso = (*BY_SIGNAL, "solver.method=lasso")
    with pytest.raises(SweepError, match=rf"'{name}'.*max_rounds"):
        checked("recovery", *lasso, other(name))


@pytest.mark.parametrize("name", OF_NO_LANDSCAPE)
def test_a_landscape_has_only_what_its_descents_use(name: str) -> None:
    with pytest.raises(SweepError, match=f"'{name}'"):
        checked("landscape", other(name))


def other(name: str) -> str:
    """A value of a parameter that is not its default, as an axis of one value."""
    default = PARAMETERS[name].default
    if isinstance(default, bool):
        return f"{name}={str(not default).lower()}"
    if isinstance(default, str):
        return f"{name}={ {'fast': 'plain', 'gaussian': 'ones'}[default] }"
    return f"{name}={ {'solver.audit': 0.5, 'solver.abandon_factor': 3.0}.get(name, 2) }"


def test_every_setting_of_a_solver_belongs_to_a_method() -> None:
    settings = {name for name in PARAMETERS if name.startswith("solver.")}
    assert settings == {*Lasso.uses, *Subgradient.uses, "solver.method"}
    tasks = [task for task in BASES if task_has(task, "solver.max_rounds")]
    assert tasks == ["recovery"]


def test_no_preset_gives_what_nothing_uses() -> None:
    for name in preset_names():
        sweep = load_sweep(name)
        check_task(task_kind(sweep.task), Grid(sweep))


def test_it_is_said_on_the_command_line(genprior: Callable[..., Result]) -> None:
    result = genprior("plan", "quickstart", "--set", "solver.audit=0.5")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--set solver.audit=default" in result.stderr
