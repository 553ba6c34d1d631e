"""Methods of classes from outside that fail are told in one line that names their class."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_declared import Drawn

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.store import read_info
from genprior.sweeps import Sweep, UserError
from genprior.tasks.conditions import CONDITIONS, WeightDistribution
from genprior.tasks.experiments import EXPERIMENTS
from genprior.tasks.generators import GENERATORS, Gaussian
from genprior.tasks.problems import PROBLEMS, Denoising
from genprior.tasks.registry import Registry
from genprior.tasks.solvers import SOLVERS, Subgradient

SMALL = {"k": 2, "depth": 1, "widths": [9], "solver": {"max_steps": 5}, "m": 4}
KINDS: dict[str, tuple[Registry[Any], type[Any], dict[str, Any]]] = {
    "problem": (PROBLEMS, Denoising, {"problem": "mine", "m": None}),
    "generator": (GENERATORS, Gaussian, {"generator": "mine"}),
    "solver": (SOLVERS, Subgradient, {"solver.method": "mine"}),
    "condition": (CONDITIONS, WeightDistribution, {"condition": "mine", "m": None}),
    "task": (EXPERIMENTS, Drawn, {"m": None}),
}


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*given: Any) -> Any:
        raise error

    return method


@contextmanager
def mine(kind: str, **methods: Any) -> Iterator[Sweep]:
    """A class with these methods, registered, and a sweep that names it."""
    registry, base, parameters = KINDS[kind]
    own = {
        name: method if kind == "task" else classmethod(method) for name, method in methods.items()
    }
    registry.register(type("Mine", (base,), {"name": "mine", "table": None, **own}))
    given = {name: v for name, v in {**SMALL, **parameters}.items() if v is not None}
    task = {"condition": "condition", "task": "mine"}.get(kind, "recovery")
    if task == "condition":
        given.pop("solver")
    try:
        yield Sweep.parse({"task": task, "trials": 1, "axes": {"k": [2]}, "parameters": {
            name: value for name, value in given.items() if name != "k"
        }})  # fmt: skip
    finally:
        registry.forget("mine")


FAILURES = [KeyError("gone"), SystemExit(3), ZeroDivisionError("1 / 0\nin two lines")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("kind", "hook"),
    [
        ("problem", "check"), ("problem", "entries"), ("problem", "residuals"),
        ("problem", "has_matrix"), ("generator", "check"), ("generator", "entries"),
        ("solver", "check"), ("solver", "entries"), ("solver", "check_installed"),
        ("condition", "check"), ("condition", "entries"), ("task", "check"), ("task", "memory"),
        ("problem", "check_installed"), ("generator", "check_installed"),
        ("condition", "check_installed"), ("task", "check_installed"), ("generator", "files"),
    ],
)  # fmt: skip
def test_a_method_that_fails_is_told_by_name(
    store: Path, kind: str, hook: str, failure: BaseException
) -> None:
    with mine(kind, **{hook: raising(failure)}) as sweep, pytest.raises(UserError) as refusal:
        run_sweep(sweep, store)
    said = str(refusal.value)
    assert f"{kind} 'mine'" in said
    assert type(failure).__name__ in said
    assert "\n" not in said
    assert not store.exists()


@pytest.mark.parametrize("value", [float("nan"), None, "12", -1, True, 1j, float("inf")], ids=repr)
@pytest.mark.parametrize(
    ("kind", "hook"),
    [
        ("problem", "entries"), ("problem", "residuals"), ("generator", "entries"),
        ("solver", "entries"), ("condition", "entries"), ("task", "memory"), ("task", "pilot"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_number_is_refused_by_name(
    store: Path, kind: str, hook: str, value: Any
) -> None:
    with (
        mine(kind, **{hook: lambda *given: value}) as sweep,
        pytest.raises(UserError, match=f"{kind} 'mine'.*{hook}") as refusal,
    ):
        run_sweep(sweep, store)
    assert repr(value) in str(refusal.value)


def test_an_experiment_that_cannot_be_made_later_is_told(store: Path) -> None:
    """It could be made when it was registered."""
    with mine("task") as sweep:
        EXPERIMENTS.find("mine").__init__ = lambda self: sys.exit(3)  # type: ignore[method-assign,misc]
        with pytest.raises(UserError, match="'mine' cannot be made: SystemExit"):
            run_sweep(sweep, store)


@pytest.mark.parametrize("kind", KINDS)
def test_packages_of_every_kind_are_recorded(store: Path, kind: str) -> None:
    """The version of what a class computes with is part of what a store is computed with."""
    members = {} if kind != "task" else {"draw": lambda self, point, draws: Drawing()}
    with mine(kind, **members) as sweep:
        KINDS[kind][0].find("mine").packages = ("pytest",)
        run_sweep(sweep, store)
    assert read_info(store).attributes["pytest_version"] == pytest.__version__


def test_files_of_any_generator_are_recorded_and_compared(store: Path, tmp_path: Path) -> None:
    """By their digests, whatever the parameter is called that names them."""
    file = tmp_path / "data.bin"
    file.write_bytes(b"one")
    with mine("generator", files=lambda cls, point: (str(file),)) as sweep:
        run_sweep(sweep, store)
        digest = json.loads(read_info(store).attributes["weights_sha256"])[str(file)]
        assert digest == hashlib.sha256(b"one").hexdigest()
        file.write_bytes(b"two")
        with pytest.raises(UserError, match=r"data\.bin"):
            run_sweep(sweep.override(["trials=2"]), store)


def test_a_condition_is_registered_like_the_other_classes() -> None:
    mine = gp.condition(type("Mine", (WeightDistribution,), {"name": "mine"}))
    try:
        assert CONDITIONS.find("mine") is mine
    finally:
        CONDITIONS.forget("mine")


class Drawing:
    def run(self) -> dict[str, float]:
        return {"number": 1.0}
