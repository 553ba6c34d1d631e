"""Analyses: one class in one file, computed once, stored, and read from there."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from threading import Thread
from time import sleep
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    ENVIRONMENT,
    PROJECT,
    Scripted,
    done,
    ended,
    files,
    neighbours,
    recovery_sweep,
    results,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)
from matplotlib.figure import Figure
from pydantic import Field
from rich.table import Table

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Analysis, Request, analyses, analysis_of, forget, register
from genprior.pipeline.analysis import fit_store
from genprior.pipeline.canvas import Look, new_canvas
from genprior.pipeline.trials import Trials
from genprior.store import (
    StoreInfo,
    mark_outdated,
    read_info,
    record,
    remove_analysis,
    write_analysis,
)
from genprior.store.lock import documents_held
from genprior.sweeps import Sweep, SweepError, load_sweep, readings, told, union
from genprior.sweeps.reserved import reserved_names
from genprior.sweeps.tables import Strict

Command = Callable[..., Result]


class Spreads(Strict):
    """Which quantile of a variable is measured, and along which axis it is drawn."""

    over: str
    quantile: float = Field(0.9, gt=0, lt=1, description="which one")


class Spread(Analysis):
    """A quantile of the latent error over trials, in every cell."""

    name = "spread"
    settings = Spreads
    settings_name = "spreads"
    json_name = "quantiles"
    counted_like = "quantile"

    def names(self) -> Iterable[str]:
        return ("quantile",)

    def axes(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        settings = self.settings_of(sweep)
        return [("spreads.over", settings.over)] if settings else ()

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        return [("spreads", "latent_error")] if self.settings_of(sweep) else ()

    def compute(self, request: Request) -> xr.Dataset:
        error = request.trials.load(["latent_error"])["latent_error"]
        quantile = error.quantile(self.settings_of(request.sweep).quantile, "trial")
        label = {"long_name": "quantile of the latent error", "units": "1"}
        return xr.Dataset({"quantile": quantile.drop_vars("quantile").assign_attrs(label)})

    def records(self, dataset: xr.Dataset) -> list[dict[str, Any]]:
        return [
            {"k": int(k), "m": int(m), "quantile": float(dataset["quantile"].sel(k=k, m=m))}
            for k in dataset["k"].values
            for m in dataset["m"].values
        ]

    def table(self, dataset: xr.Dataset) -> Table:
        table = Table("k", "m", "ninth decile")
        for row in self.records(dataset):
            table.add_row(str(row["k"]), str(row["m"]), f"{row['quantile']:.3f}")
        return table

    def shows(self, info: StoreInfo) -> bool:
        return self.settings_of(info.sweep) is not None

    def draw(self, request: Request, dataset: xr.Dataset, look: Look) -> Figure:
        canvas = new_canvas(1, look)
        over = self.settings_of(request.sweep).over
        dataset["quantile"].plot.line(x=over, ax=canvas.axes[0])
        return canvas.finish()


@pytest.fixture
def spread() -> Iterator[type[Spread]]:
    """The analysis of this file, registered until the test ends."""
    yield register(Spread)
    forget("spread")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the analyses that are computed, one a time."""
    calls: list[str] = []

    def counted(kind: type[Analysis]) -> Callable[[Analysis, Request], xr.Dataset]:
        compute = kind.compute

        def wrapped(self: Analysis, request: Request) -> xr.Dataset:
            calls.append(self.name)
            return compute(self, request)

        return wrapped

    for analysis in analyses():
        monkeypatch.setattr(type(analysis), "compute", counted(type(analysis)))
    return calls


# One from outside the packages


def test_an_analysis_from_outside_is_swept_fitted_and_drawn(
    spread: type[Spread], genprior: Command, kind: Scripted, store: Path, computed: list[str]
) -> None:
    """Its table in the sweep file, a setting, its group, rows, table and picture: one class."""
    sweep = tiny_sweep(spreads={"over": "m"}, fit={"along": "m"})
    file = write_sweep(sweep, store.parent / "mine.toml")
    assert genprior("run", file, store, "--set", "spreads.quantile=0.5").exit_code == 0
    assert read_info(store).sweep.spreads == Spreads(over="m", quantile=0.5)
    found = json.loads(genprior("fit", store, "--json").stdout)
    medians = results(store)["latent_error"].median("trial")
    np.testing.assert_allclose(
        [row["quantile"] for row in found["quantiles"]], medians.values.ravel()
    )
    assert len(found["transitions"]) == 3
    kept = xr.open_zarr(store, group="analysis/spread").load()
    np.testing.assert_allclose(kept["quantile"], medians)
    assert kept["crashed"].sum() == 0
    assert kept.attrs["trials_used"] == 48
    assert "ninth decile" in genprior("fit", store).stdout
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["spread"] == {"trials": 48, "outdated": None}
    computed.clear()
    picture = store.parent / "spread.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert computed == []
    assert "quantile" in picture.read_text()
    # Another setting makes another one, which no picture takes for it.
    assert genprior("run", file, store).exit_code == 0
    status = json.loads(genprior("status", store, "--json").stdout)
    assert "asks for another" in status["analyses"]["spread"]["outdated"]
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert computed == ["spread"]


@pytest.mark.parametrize(
    ("spreads", "said"),
    [
        ({"over": "mm"}, "spreads.over: 'mm' is no axis. Did you mean 'm'?"),
        ({"over": "m", "quantil": 0.1}, "'spreads.quantil'. Did you mean 'quantile'?"),
        ({"over": "m", "quantile": 2}, "'spreads.quantile'"),
        ({"over": "m", "quantile": "0.5"}, "'spreads.quantile': must be a number"),
    ],
)
def test_its_table_is_checked_as_any_other(
    spread: type[Spread], spreads: dict[str, Any], said: str
) -> None:
    with pytest.raises(SweepError) as caught:
        tiny_sweep(spreads=spreads)
    assert said in str(caught.value)


def test_its_keys_are_suggested_and_its_names_reserved(spread: type[Spread]) -> None:
    sweep = tiny_sweep(spreads={"over": "m"})
    with pytest.raises(SweepError, match=r"Did you mean 'spreads\.quantile'"):
        sweep.override(["spreads.quantlie=0.5"])
    assert sweep.override(["spreads=default"]).spreads is None
    assert "quantile" in reserved_names()
    axes = {"k": [2], "quantile": [2, 3]}
    with pytest.raises(SweepError, match="'quantile' cannot name an axis"):
        tiny_sweep(axes=axes, fit={}, dependent={"m": {"of": "k", "times": "quantile"}})


def test_a_table_changes_how_results_are_read_and_not_the_experiment(spread: type[Spread]) -> None:
    plain, reading = tiny_sweep(), tiny_sweep(spreads={"over": "m"})
    assert plain.hash == reading.hash
    assert union(plain, reading).spreads == reading.spreads
    assert union(reading, plain).spreads is None
    assert Sweep.parse(reading.as_dict()) == reading


def test_without_its_class_a_store_opens_and_says_what_is_lacking(
    spread: type[Spread], genprior: Command, kind: Scripted, store: Path
) -> None:
    run_sweep(tiny_sweep(spreads={"over": "m"}), store, kind=kind)
    fit_store(store)
    kept = files(store / "analysis" / "spread")
    forget("spread")
    with pytest.raises(SweepError, match="unknown key 'spreads'"):
        tiny_sweep(spreads={"over": "m"})
    assert read_info(store).sweep.unread == {"spreads": {"over": "m", "quantile": 0.9}}
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["spread"] == {"trials": 48, "outdated": None}
    assert status["not_made"] == ["[spreads] (its analysis is not installed here)"]
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert len(found["transitions"]) == 3
    assert "[spreads]" in found["left_out"][0]
    assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
    assert files(store / "analysis" / "spread") == kept
    # A run marks it, though it does not know what it is.
    run_sweep(read_info(store).sweep.override(["trials=5"]), store, kind=kind)
    assert not (store / "analysis" / "spread").exists()
    register(Spread)
    assert read_info(store).sweep.spreads == Spreads(over="m")


def test_installed_packages_offer_analyses(
    monkeypatch: pytest.MonkeyPatch, genprior: Command, kind: Scripted, store: Path
) -> None:
    """As entry points; one that cannot be loaded is named where its table is not known."""
    module = ModuleType("spreading")
    module.Spread = Spread  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spreading", module)
    offered = [
        EntryPoint("spread", "spreading:Spread", readings.GROUP),
        EntryPoint("gone", "nowhere_at_all:Gone", readings.GROUP),
    ]
    monkeypatch.setattr(told, "entry_points", lambda *, group: offered)
    monkeypatch.setitem(readings._state, "asked", False)
    monkeypatch.setattr(readings, "_unloadable", {})
    try:
        run_sweep(tiny_sweep(spreads={"over": "m"}), store, kind=kind)
        assert "quantiles" in json.loads(genprior("fit", store, "--json").stdout)
        with pytest.raises(SweepError, match=r"unknown key 'gonners'.*'gone' cannot be loaded"):
            tiny_sweep(gonners={})
    finally:
        forget("spread")


def test_what_is_no_analysis_is_not_registered() -> None:
    class Nameless(Spread):
        name = "nameless"
        settings_name = "law"

    with pytest.raises(TypeError):
        register(int)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'law'"):
        register(Nameless)
    Nameless.settings_name = "trials"
    with pytest.raises(ValueError, match="'trials'"):
        register(Nameless)
    assert analysis_of("nameless") is None


# Stored once, read from there

KINDS: dict[str, dict[str, Any]] = {
    "transition": {},
    "law": {"fit": {}, "law": {"variable": "latent_error", "exponents": {"m": -0.5}}},
    "comparison": {"fit": {}, "compare": {"over": "k"}},
    "basin": {"fit": {}, "basins": {}, "task": "recovery"},
    "trajectory": {
        "fit": {}, "task": "landscape", "trials": 1,
        "axes": {"plane": {"along": [-1, 0, 1, 1.5], "across": [-1, 0, 1]}},
        "parameters": {"k": 2, "depth": 1, "widths": [9], "m": 40, "solver": {"max_steps": 20}},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_is_that_of_the_stored_analysis(
    name: str, genprior: Command, kind: Scripted, store: Path, computed: list[str]
) -> None:
    """Computed once before the fit, not at all after it, to the same picture."""
    changes = KINDS[name]
    sweep = (recovery_sweep if name == "basin" else tiny_sweep)(**changes)
    run_sweep(sweep, store, kind=None if "task" in changes else kind)
    pictures = [store.parent / f"{at}.png" for at in range(3)]
    assert genprior("plot", store, "-o", pictures[0]).exit_code == 0
    assert computed == [name]
    assert not (store / "analysis").exists()
    assert genprior("fit", store).exit_code == 0
    assert computed == [name, name]
    assert genprior("plot", store, "-o", pictures[1]).exit_code == 0
    assert computed == [name, name]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    # A stored trajectory serves the next fit too.
    before = json.loads(genprior("fit", store, "--json").stdout)
    assert computed[2:] == ([] if name == "trajectory" else [name])
    assert json.loads(genprior("fit", store, "--json").stdout) == before
    (store / "analysis" / name / "zarr.json").write_text("junk")
    computed.clear()
    assert genprior("plot", store, "-o", pictures[2]).exit_code == 0
    assert computed == [name], "a damaged one is not drawn"
    assert pictures[0].read_bytes() == pictures[2].read_bytes()


def test_a_picture_takes_nothing_that_is_out_of_date(
    genprior: Command, kind: Scripted, store: Path, computed: list[str], monkeypatch
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    assert genprior("fit", store).exit_code == 0
    # Along another axis than the stored transition.
    run_sweep(tiny_sweep(plot={"x": "k"}), store, kind=kind)
    for times, prepare in enumerate(
        (
            lambda: None,
            lambda: run_sweep(tiny_sweep(fit={"along": "m", "direction": "falling"}), store,
                              kind=kind),
            lambda: monkeypatch.setattr(type(analysis_of("transition")), "version", 2),
        ),
        start=2,
    ):  # fmt: skip
        prepare()
        assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
        assert len(computed) == times
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["transition"]["outdated"]


def test_every_name_of_an_analysis_is_reserved(kind: Scripted, store: Path) -> None:
    for at, (name, changes) in enumerate(KINDS.items()):
        path = store.with_name(f"{at}.zarr")
        sweep = (recovery_sweep if name == "basin" else tiny_sweep)(**changes)
        run_sweep(sweep, path, kind=None if "task" in changes else kind)
        (dataset,) = fit_store(path).values()
        names = {*map(str, dataset.variables), *map(str, dataset.dims)}
        known = {*sweep.axes, *map(str, results(path).variables)}
        assert names - known <= reserved_names(), name


def test_fits_are_datasets_by_name(kind: Scripted, store: Path) -> None:
    law = {"variable": "latent_error", "exponents": {"m": -0.5}}
    run_sweep(tiny_sweep(law=law, compare={"over": "k"}, expected="m/12"), store, kind=kind)
    fits = fit_store(store)
    assert list(fits) == ["transition", "law", "comparison"]
    assert fits["transition"]["p50"].dims == ("k",)
    assert fits.left_out == {}
    rows = fits.records()
    assert [row["k"] for row in rows["transitions"]] == [2, 4, 6]
    assert (rows["expected"], rows["basins"]) == ("m/12", [])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    shown = repr(fits)
    assert str(store) in shown
    assert "comparison" in shown
    xr.testing.assert_allclose(xr.open_zarr(store, group="analysis/law").load(), fits["law"])


def test_all_analyses_of_a_fit_are_of_the_trials_of_one_reading(
    kind: Scripted, store: Path
) -> None:
    """24 trials were done when the status was read, and 48 when the errors are."""
    run_sweep(tiny_sweep("m=3,5"), store, kind=kind)
    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    trials = Trials(read_info(store))
    assert trials.done == 3 * 2 * 4 + 2 * 4
    run_sweep(tiny_sweep(), store, kind=kind)
    assert trials.changed()
    assert trials.load(["latent_error"])["latent_error"].notnull().sum() == trials.done
    assert Trials(read_info(store)).done == 48
    assert load_sweep("basins").basins.radius == 0.75


# Next to a run


def test_a_fit_and_a_run_do_not_lock_each_other_out(
    genprior: Command, kind: Scripted, store: Path
) -> None:
    """The run stops in its second block; the fit is of the 40 trials that are done by then."""
    half = tiny_sweep("m=3,5")
    run_sweep(half, store, kind=kind)
    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    file = write_sweep(tiny_sweep("blocks.trials=4"), store.parent / "tiny.toml")
    begun = sum(kind.calls().values())
    slow = replace(kind, pause=0.3)
    with ended(scripted_command(slow, "run", file, store, "--scheduler=synchronous")) as run:
        wait_until(lambda: sum(kind.calls().values()) > begun + 9)
        os.kill(run.pid, signal.SIGSTOP)
        used = [fit_store(store)["transition"].attrs["trials_used"] for _ in range(2)]
        assert set(json.loads(genprior("status", store, "--json").stdout)["analyses"]) == {
            "transition"
        }
        os.kill(run.pid, signal.SIGCONT)
        assert run.wait(60) == 0
    assert used == [40, 40]
    kept = xr.open_zarr(store, group="analysis/transition").load()
    assert kept.attrs["trials_used"] == 40
    assert "trials were run after" in kept.attrs["outdated"]
    assert int(kept["runs"].sum()) == 40
    # The root has a copy of every document, also of those that both have changed.
    root = json.loads((store / "zarr.json").read_text())
    copied = root["consolidated_metadata"]["metadata"]["analysis/transition"]["attributes"]
    assert copied == json.loads((store / "analysis/transition/zarr.json").read_text())["attributes"]
    assert "history" in root["attributes"]
    assert neighbours(store) == ["tiny.toml"]
    assert fit_store(store)["transition"].attrs["trials_used"] == 48


@pytest.mark.parametrize("begun", [["k=2"], ["k=2", "m=3"]])
def test_a_run_goes_on_while_a_fit_is_written(
    kind: Scripted, store: Path, monkeypatch: pytest.MonkeyPatch, begun: list[str]
) -> None:
    """The run begins while the group of the fit takes its time; both are whole.

    The run extends the store, from k = 2 alone, and drops the fit; or it fills what is pending.
    """
    for settings in (begun[0], "k=4,6") if begun[1:] else begun:
        run_sweep(tiny_sweep(settings, *begun[1:]), store, kind=kind)
    if begun[1:]:
        run_sweep(tiny_sweep("k=2"), store, kind=kind)
    before = done(store)
    to_zarr, runs = xr.Dataset.to_zarr, []

    def slow(self: xr.Dataset, *arguments: Any, **options: Any) -> Any:
        thread = Thread(target=lambda: runs.append(run_sweep(tiny_sweep(), store, kind=kind)))
        runs.append(thread)
        thread.start()
        sleep(0.5)
        return to_zarr(self, *arguments, **options)

    monkeypatch.setattr(xr.Dataset, "to_zarr", slow)
    fits = fit_store(store)
    monkeypatch.undo()
    runs[0].join(60)
    assert runs[1].exit_status == 0
    assert done(store) == 48
    assert fits["transition"].attrs["trials_used"] == before
    if begun[1:]:
        kept = xr.open_zarr(store, group="analysis/transition")
        assert (kept.attrs["trials_used"], "outdated" in kept.attrs) == (before, True)
    else:
        assert not (store / "analysis").exists()
    assert fit_store(store)["transition"].attrs["trials_used"] == 48


@pytest.mark.parametrize(
    "change",
    [
        lambda path: record(path, {"history": "[]"}),
        lambda path: mark_outdated(path, {"transition": "so"}),
        lambda path: remove_analysis(path, "transition"),
        lambda path: write_analysis(path, "mine", xr.Dataset(), "{}"),
    ],
)
def test_whoever_changes_documents_waits_for_another_who_does(
    kind: Scripted, store: Path, change: Callable[[Path], None]
) -> None:
    """Each reads the root and writes it: what another has written meanwhile would be lost."""
    run_sweep(tiny_sweep(), store, kind=kind)
    fit_store(store)
    thread = Thread(target=change, args=[store])
    with documents_held(store):
        before = files(store)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert files(store) == before
    thread.join(60)
    assert files(store) != before


KILLED = """
import os, sys
from pathlib import Path
import helpers
from genprior.pipeline.analysis import fit_store
from genprior.store import analyses
stage, path = sys.argv[1:]
real = getattr(analyses, stage)

def dying(*arguments):
    if "after" in os.environ:
        real(*arguments)
    os._exit(9)

setattr(analyses, stage, dying)
fit_store(Path(path))
"""


@pytest.mark.parametrize("stage", ["make_group", "put_in_place", "consolidate"])
@pytest.mark.parametrize("after", [False, True])
def test_a_fit_that_is_killed_leaves_a_store_that_can_be_read(
    genprior: Command, kind: Scripted, store: Path, stage: str, after: bool
) -> None:
    """Killed before or after each step of writing, with an older fit in the place."""
    run_sweep(tiny_sweep("m=3,5,7"), store, kind=kind)
    run_sweep(tiny_sweep("k=2"), store, kind=kind)
    fit_store(store)
    run_sweep(tiny_sweep(), store, kind=kind)
    environment = {**ENVIRONMENT, **({"after": "1"} if after else {})}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, stage, store], env=environment, timeout=60, check=False
    )
    assert killed.returncode == 9
    assert done(store) == 48
    kept = xr.open_zarr(store, group="analysis/transition").load()
    assert kept["p50"].dims == ("k",)
    assert genprior("status", store).exit_code == 0
    run_sweep(tiny_sweep(), store, kind=kind)
    assert fit_store(store)["transition"].attrs["trials_used"] == 48
    assert json.loads(genprior("status", store, "--json").stdout)["analyses"] == {
        "transition": {"trials": 48, "outdated": None}
    }
    folders = [entry.name for entry in (store / "analysis").iterdir() if entry.is_dir()]
    assert folders == ["transition"]


def test_a_sweep_with_tables_is_pickled(spread: type[Spread]) -> None:
    sweep = tiny_sweep(spreads={"over": "m"}, compare={"over": "k"})
    assert pickle.loads(pickle.dumps(sweep)) == sweep
    forget("spread")
    assert pickle.loads(pickle.dumps(sweep)).unread == {"spreads": {"over": "m", "quantile": 0.9}}


def test_what_trials_do_not_give_is_refused_before_they_run(
    spread: type[Spread], genprior: Command, store: Path
) -> None:
    sweep = tiny_sweep(task="no-operation", spreads={"over": "m"})
    file = write_sweep(sweep, store.parent / "mine.toml")
    refused = genprior("run", file, store)
    assert refused.exit_code == 2
    assert "spreads: trials of task 'no-operation' give no 'latent_error'" in refused.stderr


def test_the_example_of_the_page_is_complete(genprior: Command, store: Path) -> None:
    page = PROJECT / "docs" / "analyses.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    try:
        exec(compile(code, str(page), "exec"), {"__name__": "quantiles"})
        run_sweep(recovery_sweep(fit={}, quantiles={"over": "m"}), store)
        rows = json.loads(genprior("fit", store, "--json").stdout)["quantiles"]
        assert [row["m"] for row in rows[:4]] == [3, 5, 7, 9]
        assert len(rows) == 12
        assert genprior("fit", store).stdout.count("\n") > 12
        assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
    finally:
        forget("quantile")


def test_the_page_lists_every_analysis() -> None:
    page = PROJECT / "docs" / "analyses.md"
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.M)
    assert rows == [(analysis.name, analysis.json_name) for analysis in analyses()]
