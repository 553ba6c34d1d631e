"""Fits and runs of one store at the same time, and fits that are killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    ENVIRONMENT,
    Scripted,
    done,
    ended,
    files,
    neighbours,
    scripted_command,
    tiny_sweep,
    wait_until,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.fit.fitting import fit_store
from genprior.store import mark_outdated, record, remove_analysis, write_analysis
from genprior.store.lock import documents_held

Command = Callable[..., Result]


@pytest.mark.slow
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


@pytest.mark.slow
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
    thread = Thread(target=lambda: runs.append(run_sweep(tiny_sweep(), store, kind=kind)))

    def slow(self: xr.Dataset, *arguments: Any, **options: Any) -> Any:
        if thread.ident is None:  # a fit of a store that was extended meanwhile is written again
            thread.start()
            sleep(0.5)
        return to_zarr(self, *arguments, **options)

    monkeypatch.setattr(xr.Dataset, "to_zarr", slow)
    fits = fit_store(store)
    monkeypatch.undo()
    thread.join(60)
    assert runs[0].exit_status == 0
    assert done(store) == 48
    assert fits["transition"].attrs["trials_used"] == before
    # An extension drops the fit, unless it came first: then the fit was made of the larger store.
    if begun[1:] or (store / "analysis").exists():
        kept = xr.open_zarr(store, group="analysis/transition")
        assert (kept.attrs["trials_used"], "outdated" in kept.attrs) == (before, True)
    assert fit_store(store)["transition"].attrs["trials_used"] == 48


@pytest.mark.slow
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
from genprior.pipeline.fit.fitting import fit_store
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


@pytest.mark.slow
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
