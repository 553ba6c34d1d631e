"""Arguments of the functions of `import genprior` that are of a wrong kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Scripted, tiny_sweep

import genprior as gp
from genprior.tasks import EXPERIMENTS

NO_PATHS: list[Any] = [None, 5, [], b"x", {}, object(), Path]
NO_NAMES: list[Any] = ["a\0b", "\ud800", "x" * 300, "a/" * 3000, " ", "", "\t"]
SWEEP = tiny_sweep("k=2", "m=3", "trials=1")


@pytest.fixture(autouse=True)
def _known(kind: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    monkeypatch.chdir(tmp_path)


def refusal(call: Callable[[], Any]) -> str:
    """The one line with which a call is refused."""
    with pytest.raises(gp.UserError) as refused:
        call()
    assert "\n" not in str(refused.value)
    str(refused.value).encode()
    return str(refused.value)


@pytest.mark.parametrize("store", NO_PATHS)
def test_a_store_of_another_type_is_refused_by_name(store: Any) -> None:
    calls = [lambda: gp.run(SWEEP, store), lambda: gp.status(store), lambda: gp.open(store),
             lambda: gp.fit(store), lambda: gp.plot(store)]  # fmt: skip
    for call in calls:
        assert refusal(call).startswith("store: ")


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_path_that_no_file_can_have_is_refused(name: str) -> None:
    for call in (lambda: gp.run(SWEEP, name), lambda: gp.status(name), lambda: gp.load_sweep(name)):
        assert len(refusal(call)) < 300
    assert list(Path().iterdir()) == [Path("calls")]


@pytest.mark.parametrize("sweep", [None, 5, [], b"x", {}, 1.5])
def test_a_sweep_of_another_type_is_refused_by_name(sweep: Any) -> None:
    assert refusal(lambda: gp.plan(sweep)).startswith("sweep: ")
    assert refusal(lambda: gp.run(sweep, "s.zarr")).startswith("sweep: ")
    if not isinstance(sweep, dict):
        refusal(lambda: gp.load_sweep(sweep))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scheduler", 5), ("scheduler", True), ("scheduler", b"threads"), ("scheduler", ""),
        ("cluster", 5), ("profile", 5), ("jobs", "3"), ("jobs", 0), ("cluster", " "),
        ("retries", None), ("retries", "1"), ("retries", True),
        ("workers", "2"), ("workers", 1.0), ("workers", np.float64(1)), ("fail_fast", "no"),
        ("allow_mixed", "no"), ("allow_mixed", None), ("progress", "x"), ("progress", 1),
    ],
)  # fmt: skip
def test_an_option_of_another_type_is_refused_by_name(name: str, value: Any) -> None:
    said = refusal(lambda: gp.run(SWEEP, "s.zarr", **{name: value}))
    assert said.startswith(f"{name}: ")
    assert not Path("s.zarr").exists()


def test_options_of_fit_and_plot_are_refused_by_name() -> None:
    gp.run(SWEEP, "s.zarr", scheduler="synchronous")
    for along in (5, "", b"m"):
        assert refusal(lambda along=along: gp.fit("s.zarr", along=along)).startswith("along: ")
    assert refusal(lambda: gp.plot("s.zarr", log="x")).startswith("log: ")
    assert refusal(lambda: gp.plot("s.zarr", title=None)).startswith("title: ")


def test_numbers_of_numpy_are_whole_numbers() -> None:
    summary = gp.run(SWEEP, "s.zarr", scheduler="synchronous", retries=np.int64(1),
                     fail_fast=np.bool_(False))  # fmt: skip
    assert summary.computed == 1
    assert gp.plan(SWEEP, workers=np.int32(2)).workers == 2
