"""Nothing that is the whole process's is changed for a caller of the functions."""

import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any

import dask
import distributed
import matplotlib as mpl
import pytest
from distributed import Client, LocalCluster
from helpers import Scripted, blas_threads, recovery_sweep, wait_until

import genprior as gp
from genprior.pipeline.executors import local_cluster
from genprior.pipeline.show.canvas import own_style


def everything_global() -> dict[str, Any]:
    """What a caller has for the whole process."""
    loggers = {name: logging.getLogger(name) for name in sorted(logging.root.manager.loggerDict)}
    return {
        "signals": {kind: signal.getsignal(kind) for kind in signal.Signals if kind.name[3] != "_"},
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "levels": {name: (logger.level, logger.propagate) for name, logger in loggers.items()},
        "root": (logging.root.level, logging.root.manager.disable, list(logging.root.handlers)),
        "warnings": list(warnings.filters),
        "dask": deepcopy(dask.config.config),
        "environment": dict(os.environ),
        "matplotlib": dict(mpl.rcParams),
        "path": list(sys.path),
        "folder": Path.cwd(),
        "blas": blas_threads(),
    }


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_nothing_global_is_changed_for_the_caller(
    store: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that a caller would make are made first, so that a default put back is seen."""
    sweep = recovery_sweep("trials=1")
    gp.run(sweep, store.with_name("first.zarr"), scheduler=scheduler)  # imports what there is
    gp.plot(store.with_name("first.zarr"))
    monkeypatch.setitem(mpl.rcParams, "figure.dpi", 77.0)
    monkeypatch.setitem(mpl.rcParams, "font.size", 13.0)
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.setattr(logging.getLogger("distributed"), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger("matplotlib"), "level", logging.INFO)
    with warnings.catch_warnings(), dask.config.set({"distributed.worker.daemon": True}):
        warnings.simplefilter("default", UserWarning)
        before = everything_global()
        gp.plan(sweep, workers=1)
        gp.run(sweep, store, scheduler=scheduler)
        gp.status(store)
        gp.fit(store)
        gp.open(store)
        gp.plot(store)._repr_png_()
        after = everything_global()
    # Loggers of modules that were imported meanwhile are new, not changed.
    after["levels"] = {name: after["levels"][name] for name in before["levels"]}
    for name, value in before.items():
        assert after[name] == value, name
    with pytest.raises(ValueError, match="No client"):
        distributed.default_client()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_process_is_as_before_after_runs_that_overlap(tmp_path: Path, scheduler: str) -> None:
    """One run, and then two in threads, of which the second begins in the first and outlasts it."""
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("process_state.py"), tmp_path, scheduler],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"once": [], "twice": [], "done": [16, 16, 160]}


@pytest.mark.parametrize("context", [own_style, local_cluster.our_configuration])
def test_settings_are_as_before_when_the_last_of_two_users_has_left(
    context: Callable[[], AbstractContextManager[None]],
) -> None:
    """The first user leaves before the second, as in two threads."""
    changed = {"figure.dpi": 77.0}
    with mpl.rc_context(changed), dask.config.set({"distributed.scheduler.worker-saturation": 9.0}):
        before = dict(mpl.rcParams), deepcopy(dask.config.config)
        first, second = context(), context()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert (dict(mpl.rcParams), dask.config.config) != before
        second.__exit__(None, None, None)
        assert (dict(mpl.rcParams), dask.config.config) == before


@pytest.mark.cluster
def test_a_client_of_the_callers_is_used_and_left_as_it_is(store: Path, kind: Scripted) -> None:
    """It is the caller's default, hears of workers, and stays open."""
    heard: list[tuple[str, Any]] = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=3, processes=False,
                     memory_limit=None, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        client.subscribe_topic("all", heard.append)
        level = logging.getLogger("distributed").level
        summary = gp.run(recovery_sweep("trials=2"), store, client=client)
        assert (summary.computed, summary.workers) == (24, 3)
        assert client.status == "running"
        assert distributed.default_client() is client
        assert client.submit(abs, -2).result() == 2
        client.log_event("all", "still there")
        wait_until(lambda: any(message == "still there" for _, message in heard))
        assert logging.getLogger("distributed").level == level
        with pytest.raises(gp.UserError, match="client"):
            gp.run(recovery_sweep(), store, client=client, scheduler="threads")
        with pytest.raises(gp.UserError, match="client"):
            gp.run(recovery_sweep(), store, client=client, workers=2)
    with pytest.raises(gp.UserError, match="client"):
        gp.run(recovery_sweep(), store, client=client)
    with pytest.raises(gp.UserError, match=r"client.*\bstr\b"):
        gp.run(recovery_sweep(), store, client="tcp://127.0.0.1:1")


SCRIPT = """
import genprior as gp
print("run")
sweep = gp.load_sweep("quickstart").override(["k=2,4", "m=8,16", "trials=2"])
print(gp.run(sweep, "s.zarr", workers=2).computed)
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_a_script_needs_no_guard_and_prints_nothing_of_ours(tmp_path: Path) -> None:
    """A worker process that imported the script would run it again, and print as well."""
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["run", "8"], "")


def test_a_figure_is_no_figure_of_pyplots(undisturbed: Path, tmp_path: Path) -> None:
    from matplotlib import pyplot

    figure = gp.plot(undisturbed)
    assert pyplot.get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(tmp_path / "own.pdf")
    assert (tmp_path / "own.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_a_script_shows_progress_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    code = SCRIPT.replace("workers=2", "scheduler='synchronous', progress=PROGRESS")
    for progress in (True, False):
        seen, terminal = os.openpty()
        subprocess.run(
            [sys.executable, "-c", code.replace("PROGRESS", str(progress))],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal, timeout=120, check=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )  # fmt: skip
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(seen, 65536):
                shown += part
        except OSError:  # the end of a terminal that nobody has open
            pass
        os.close(seen)
        assert (b"8/8" in shown, bool(shown)) == (progress, progress)
