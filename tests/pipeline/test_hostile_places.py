"""Odd paths, odd terminals, odd moments: one line, the right exit status, nothing lost."""

import errno
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from helpers import ENVIRONMENT, GENPRIOR, Scripted, assert_names, recovery_sweep, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.fit import fitting as analysis
from genprior.pipeline.run.plan import plan_sweep
from genprior.store import load_results, open_analysis, reading

SMALL = ("--set", "k=4", "--set", "m=12", "--trials", "2", "--scheduler", "synchronous")


def genprior(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [GENPRIOR, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        **{"env": ENVIRONMENT, **options},
    )


@pytest.mark.slow
def test_a_point_that_crashes_in_the_pilot_does_not_stop_the_others(store: Path) -> None:
    """At a gain of 1e300 no code has a finite signal: those trials crash, the others run."""
    ended = genprior("run", "quickstart", store, *SMALL, "--set", "gain=1,1e300")
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    status = xr.open_zarr(store).status.isel(k=0, m=0)
    assert status.sel(gain=1).values.tolist() == [1, 1]
    assert status.sel(gain=1e300).values.tolist() == [2, 2]
    assert genprior("plan", "quickstart", *SMALL[:4], "--set", "gain=1e300").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["./~", "x[red]y.zarr", "[bold]b.zarr", ":smile:.zarr"])
def test_a_path_is_taken_literally(recovered: Path, tmp_path: Path, name: str) -> None:
    """Xarray would look for ~ in the home folder; rich would take brackets for colours."""
    (tmp_path / name).symlink_to(recovered)
    shown = genprior("status", name, cwd=tmp_path)
    assert shown.returncode == 0
    assert name.removeprefix("./") in shown.stdout


@pytest.mark.slow
def test_a_terminal_that_knows_ascii_only_still_shows_tables(recovered: Path) -> None:
    shown = genprior("status", recovered, env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"})
    assert shown.returncode == 0
    assert "k (3) ? m (4)" in shown.stdout


@pytest.mark.parametrize("asked", [["status"], ["--help"], ["--version"], ["run", "--help"]])
def test_output_that_cannot_be_written_is_one_line(recovered: Path, asked: list[str]) -> None:
    command = [GENPRIOR, *asked, *([recovered] if asked == ["status"] else [])]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert_names(ended.stderr, os.strerror(errno.ENOSPC))


@pytest.mark.slow
def test_links_in_a_circle_and_endless_names_are_no_stores(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in ("loop", "y" * 300):
        for command in (["status", path], ["run", "quickstart", path, *SMALL]):
            ended = genprior(*command, cwd=tmp_path)
            assert ended.returncode in (1, 2)
            assert len(ended.stderr.splitlines()) <= 2
            assert ended.stderr.splitlines()[-1].startswith("genprior: ")
    assert [entry.name for entry in tmp_path.iterdir()] == ["loop"]


def test_a_working_directory_that_is_gone_is_told(recovered: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && exec '{GENPRIOR}' fit '{recovered}'"
    ended = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("genprior: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["tls://127.0.0.1:1", "http://127.0.0.1:1", "ucx://127.0.0.1:1"]
)
def test_an_address_that_cannot_be_used_says_why(store: Path, address: str) -> None:
    ended = genprior("run", "quickstart", store, *SMALL[:6], "--scheduler", address)
    assert ended.returncode == 2
    assert_names(ended.stderr.splitlines()[-1], f"--scheduler {address}")
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_that_cannot_be_started_are_one_line(store: Path) -> None:
    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    ended = genprior("run", "quickstart", store, *SMALL[:6], "--workers", 2, preexec_fn=few_files)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert_names(ended.stderr.splitlines()[-1], "52", "ulimit -n", "20")


@pytest.mark.slow
@pytest.mark.cluster
def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may_be(store: Path) -> None:
    """Shells often allow 1 024, which some 80 workers would take."""

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 60))

    ended = genprior("run", "quickstart", store, *SMALL[:6], "--workers", 2, preexec_fn=few_files)
    assert ended.returncode == 0, ended.stderr
    assert_names(ended.stderr, "ulimit -n", "60", "1 of 2 workers")


def test_results_are_read_from_one_layout(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that extends the store between two reads would mix old places with new chunks."""
    run_sweep(tiny_sweep(), store, kind=kind)
    open_results = reading.open_results
    extended = []

    def open_while_extending(path: Path) -> xr.Dataset:
        found = open_results(path)
        if not extended:
            extended.append(store)
            run_sweep(tiny_sweep("k=2,3,4,6"), store, kind=kind)
        return found

    monkeypatch.setattr(reading, "open_results", open_while_extending)
    assert load_results(store, ["success", "status"]).sizes["k"] == 4


@pytest.mark.slow
def test_a_fit_is_of_the_store_it_is_written_into(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may extend the store before the fit is written; then it is made again."""
    run_sweep(tiny_sweep(), store, kind=kind)
    write, calls = analysis.write_analysis, []

    def late(path: Path, name: str, *others: Any, **options: Any) -> xr.Dataset:
        calls.append(name)
        run_sweep(tiny_sweep("k=2,3,4,6"), store, kind=kind)
        return write(path, name, *others, **options)

    monkeypatch.setattr(analysis, "write_analysis", late)
    fits = analysis.fit_store(store)
    assert calls == ["transition", "transition"]
    assert fits["transition"].sizes["k"] == 4
    assert open_analysis(store, "transition").sizes["k"] == 4


@pytest.mark.parametrize("settings", [["k=2", "m=3", "trials=1"], []])
def test_a_plans_bytes_bound_what_the_store_takes(store: Path, settings: list[str]) -> None:
    """Counted as the file system does, folders included."""
    sweep = recovery_sweep(*settings)
    run_sweep(sweep, store)
    analysis.fit_store(store)
    taken = sum(entry.lstat().st_blocks * 512 for entry in store.rglob("*"))
    assert taken <= plan_sweep(sweep, workers=1).bytes
