"""An analysis that cannot be made, or whose class is at fault, does not stop the others."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from click.testing import Result
from helpers import Scripted, tiny_sweep
from spread_analysis import Spread

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Transition, forget, register
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.fit.freshness import LATER_TRIALS
from genprior.pipeline.fit.trials import Trials
from genprior.pipeline.show.figures import draw
from genprior.store import StoreError, read_info, write_analysis
from genprior.sweeps import SweepError, UserError
from genprior.sweeps.readings import AnalysisError

Command = Callable[..., Result]
SWEEP = tiny_sweep()


def fault(*arguments: Any) -> Any:
    raise KeyError("lost")


def late_fault(*arguments: Any) -> Iterator[Any]:
    yield from fault()


def something_else(*arguments: Any) -> Any:
    return 7


def unstorable(*arguments: Any) -> xr.Dataset:
    return xr.Dataset({"quantile": ("m", [object()] * 4)})


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Register `Spread` with other methods, until the test ends."""

    def make(**methods: Any) -> None:
        register(type("Faulty", (Spread,), {"__module__": "outside", **methods}))

    yield make
    forget("spread")


@pytest.fixture
def filled(registered: Callable[..., None], kind: Scripted, store: Path) -> Path:
    """A store whose sweep asks for a transition and for the analysis from outside."""
    registered()
    run_sweep(tiny_sweep(spreads={"over": "m"}), store, kind=kind)
    return store


@pytest.mark.parametrize("refusal", [SweepError("not of these"), StoreError("unreadable")])
def test_an_analysis_that_refuses_is_left_out(
    registered: Callable[..., None], filled: Path, refusal: UserError
) -> None:
    def refuse(*arguments: Any) -> Any:
        raise refusal

    registered(compute=refuse)
    fits = fit_store(filled)
    assert list(fits) == ["transition"]
    assert fits.left_out == {"spread": str(refusal)}
    assert not (filled / "analysis/spread").exists()
    assert (filled / "analysis/transition").is_dir()


def test_a_fit_is_refused_if_all_its_analyses_refuse(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> Any:
        raise StoreError("unreadable")

    for kind in (Transition, Spread):
        monkeypatch.setattr(kind, "compute", refuse)
    with pytest.raises(StoreError, match="unreadable"):
        fit_store(filled)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ({"compute": fault}, "'spread': compute failed with KeyError: 'lost'"),
        ({"compute": something_else}, "'spread': compute gives a int"),
        ({"compute": unstorable}, "'spread': its dataset cannot be stored"),
        ({"refuse": fault}, "'spread': refuse failed with KeyError"),
        ({"counted_like": "runs"}, "'spread': counted_like is 'runs'"),
    ],
)
def test_a_fault_is_told_in_one_line_and_other_analyses_are_written(
    registered: Callable[..., None],
    filled: Path,
    genprior: Command,
    methods: dict[str, Any],
    said: str,
) -> None:
    registered(**methods)
    refused = genprior("fit", filled)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert (filled / "analysis/transition").is_dir()
    with pytest.raises(AnalysisError) as raised:
        fit_store(filled)
    if said.endswith("KeyError"):
        assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "command"),
    [
        ("asked", "fit"), ("check_request", "fit"), ("records", "fit"), ("table", "fit"),
        ("shows", "plot"), ("drawn_along", "plot"), ("draw", "plot"), ("asked", "status"),
    ],
)  # fmt: skip
def test_a_fault_of_any_method_is_told_in_one_line(
    registered: Callable[..., None], filled: Path, genprior: Command, method: str, command: str
) -> None:
    registered(**{method: fault})
    output = ["-o", filled.parent / "x.png"] if command == "plot" else []
    refused = genprior(command, filled, *output)
    assert refused.exit_code == 1
    assert f"genprior: analysis 'spread': {method} failed with KeyError: 'lost'" in refused.stderr
    shown = genprior("--debug", command, filled, *output)
    assert isinstance(shown.exception, AnalysisError)
    assert isinstance(shown.exception.__cause__, KeyError)


@pytest.mark.parametrize(
    ("method", "raising"),
    [("axes", fault), ("axes", late_fault), ("needs", fault), ("needs", late_fault),
     ("check", fault)],
)  # fmt: skip
def test_a_fault_in_reading_a_sweep_is_told_in_one_line(
    registered: Callable[..., None], method: str, raising: Callable[..., Any], tmp_path: Path
) -> None:
    registered(**{method: raising})
    with pytest.raises(UserError, match=rf"'spread': {method} failed with KeyError: 'lost'"):
        run_sweep(tiny_sweep(spreads={"over": "m"}, task="recovery"), tmp_path / "x.zarr")


def test_a_picture_that_is_no_figure_is_refused(
    registered: Callable[..., None], filled: Path
) -> None:
    registered(draw=something_else)
    with pytest.raises(AnalysisError, match="draw gives a int"):
        draw(read_info(filled))


@pytest.mark.slow
def test_trials_that_are_run_while_a_fit_is_written_are_seen(
    kind: Scripted, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sweep(tiny_sweep("m=3,5"), store, kind=kind)
    run_sweep(tiny_sweep("k=2"), store, kind=kind)  # the rest of the grid stays pending

    def write(*arguments: Any, **options: Any) -> xr.Dataset:
        written = write_analysis(*arguments, **options)
        monkeypatch.setattr("genprior.pipeline.run.runner.mark_late", lambda info: None)
        monkeypatch.setattr("genprior.pipeline.run.runner.mark", lambda info, writes: None)
        run_sweep(SWEEP, store, kind=kind)
        return written

    monkeypatch.setattr("genprior.pipeline.fit.fitting.write_analysis", write)
    fit_store(store)
    kept = xr.open_zarr(store, group="analysis/transition")
    assert kept.attrs["trials_used"] == 32
    assert LATER_TRIALS in kept.attrs["outdated"]
    assert Trials(read_info(store)).done == 48


@pytest.mark.slow
def test_a_fit_made_during_a_run_that_fails_is_marked(kind: Scripted, store: Path) -> None:
    """The fit is of the first blocks; a listener ends the run after more of them."""
    blocks = []

    def listen(summary: Any) -> None:
        blocks.append(summary.blocks)
        if summary.blocks == 2:
            fit_store(store)
        if summary.blocks == 4:
            raise ArithmeticError("the listener failed")

    with pytest.raises(ArithmeticError):
        run_sweep(SWEEP, store, kind=kind, listen=listen)
    kept = xr.open_zarr(store, group="analysis/transition")
    assert kept.attrs["trials_used"] == 16
    assert LATER_TRIALS in kept.attrs["outdated"]
