"""Results of other kernels and libraries do not mix unseen; a store tells who computed it."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    ENVIRONMENT,
    GENPRIOR,
    PROJECT,
    Scripted,
    assert_names,
    dask_cluster,
    files,
    recovery_sweep,
    refused,
    results,
    tiny_sweep,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.pipeline.run import prepare, worker
from genprior.pipeline.run.block_task import BlockTask
from genprior.pipeline.run.provenance import revision_of
from genprior.pipeline.run.worker import run_block
from genprior.store import StoreError, read_info, record
from genprior.store.documents import consolidate
from genprior.sweeps import Grid, UserError
from genprior.tasks import Recovery
from genprior.tasks.environment import environment, needs_of


@contextmanager
def computing_with(**others: object) -> Iterator[None]:
    """Have this process say that it computes with something else."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (prepare, worker):
            patch.setattr(module, "environment", lambda needs: {**environment(needs), **others})
        yield


class Several(Synchronous):
    """Workers that say different things of themselves."""

    def __init__(self, *answers: dict[str, object]):
        self.answers = answers

    def everywhere(self, function):
        return [{**function(), **answer} for answer in self.answers]


def history(store: Path) -> list[dict[str, object]]:
    return json.loads(results(store).attrs["history"])


def test_a_store_goes_on_under_another_numpy_on_request_only(store: Path, kind: Scripted) -> None:
    """NumPy does not promise to keep its random streams from version to version."""
    run_sweep(tiny_sweep(), store, kind=kind)
    before = files(store)
    with computing_with(numpy_version="9.9.9"):
        with refused(StoreError, "numpy version", f"'{np.__version__}'", "'9.9.9'"):
            run_sweep(tiny_sweep("trials=5"), store, kind=kind)
        assert files(store) == before
        run_sweep(tiny_sweep("trials=5"), store, kind=kind, allow_mixed=True)
    assert [entry["numpy_version"] for entry in history(store)] == [np.__version__, "9.9.9"]


def test_what_an_older_version_did_not_record_and_later_patches_of_python_are_no_difference(
    store: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    minor = results(store).attrs["python_version"].rpartition(".")[0]
    record(store, {"python_version": f"{minor}.999"})
    import zarr

    attributes = zarr.open_group(store, mode="r+", use_consolidated=False).attrs
    for name in ("vector_instructions", "c_library", "history"):
        del attributes[name]
    assert run_sweep(tiny_sweep("trials=5"), store, kind=kind).computed == 12
    assert len(history(store)) == 1


@pytest.mark.slow
def test_the_history_has_every_run_that_computed_something(store: Path, kind: Scripted) -> None:
    """A run with nothing left to do changes no byte; runs alike in all share one entry."""
    for trials in (4, 5, 5, 6):
        before = files(store) if store.exists() else {}
        summary = run_sweep(tiny_sweep(f"trials={trials}"), store, kind=kind)
        assert (files(store) == before) == (summary.computed == 0)
    (entry,) = history(store)
    assert entry["runs"] == 3
    assert entry["first"] <= entry["latest"]


def test_workers_that_differ_from_each_other_are_refused(store: Path, kind: Scripted) -> None:
    several = Several({}, {"scipy_version": "9"}, {})
    with refused(UserError, "scipy version", f"{version('scipy')}; 9"):
        run_sweep(tiny_sweep(), store, several, kind=kind)
    assert not store.exists()
    run_sweep(tiny_sweep(), store, several, kind=kind, allow_mixed=True)
    assert results(store).attrs["scipy_version"].endswith("; 9")
    with refused(StoreError, store, "scipy version"):
        run_sweep(tiny_sweep("trials=5"), store, kind=kind)


def test_workers_that_lack_a_package_are_told_of_it(store: Path, kind: Scripted) -> None:
    lacking = Several({}, {"problem_packages": "deblurring: not installed"})
    for allowed in (False, True):
        with refused(UserError, "deblurring"):
            run_sweep(tiny_sweep(), store, lacking, kind=kind, allow_mixed=allowed)


def block(store: Path, kind: Recovery) -> BlockTask:
    info, needs = read_info(store), needs_of(kind, Grid(recovery_sweep()))
    wanted = np.ones((1, 2, 4), dtype=bool)
    here = environment(needs)
    return BlockTask(store, info.revision, (0, 0, 0), wanted, kind, needs, here, "run")


JOINED = """
import pickle, sys
from genprior.sweeps import UserError
from genprior.tasks import Recovery
Recovery.version = 999  # what is installed there
from genprior.pipeline.run.worker import run_block
try:
    run_block(pickle.load(sys.stdin.buffer))
except UserError as error:
    print(error)
"""


def test_a_worker_that_joined_later_has_its_own_kernel_compared(store: Path) -> None:
    """The task kind that travels to it, pickled, has the version of where it came from."""
    run_sweep(recovery_sweep(), store)
    task = block(store, Recovery())
    assert run_block(task).done == 8
    before = files(store)
    told = subprocess.run(
        [sys.executable, "-c", JOINED], input=pickle.dumps(task), capture_output=True, timeout=60,
        check=True,
    ).stdout.decode()  # fmt: skip
    assert_names(told, store, "kernel version", "'5'", "'999'")
    assert files(store) == before


def test_a_worker_that_joined_a_mixed_run_is_entered(store: Path, kind: Scripted) -> None:
    """It was not there when the run began; its blocks tell of it."""

    class Joined(Synchronous):
        def stream(self, function, items, *, more=False):
            for count, item in enumerate(items):
                with computing_with(**({"machine": "abacus"} if count > 2 else {})):
                    yield item, function(item)

    run_sweep(tiny_sweep(), store, Joined(), kind=kind, allow_mixed=True)
    assert [entry["machine"] for entry in history(store)][1:] == ["abacus"]


def test_codes_that_came_later_are_named_in_an_older_store(store: Path) -> None:
    """Stores of kernel 4 know of no flat runs."""
    import zarr

    run_sweep(recovery_sweep(), store)
    verdict = zarr.open_group(store, mode="r+", use_consolidated=False)["verdict"]
    names = "converged stalled budget_spent diverged abandoned"
    verdict.attrs.update({"flag_values": [0, 1, 2, 3, 4], "flag_meanings": names})
    consolidate(store)
    record(store, {"kernel_version": 4})
    with refused(StoreError, store, "kernel version", "'4'", "'5'"):
        run_sweep(recovery_sweep(), store)
    assert results(store)["verdict"].attrs["flag_meanings"] == names
    run_sweep(recovery_sweep(), store, allow_mixed=True)
    assert results(store)["verdict"].attrs["flag_meanings"] == f"{names} flat"
    assert list(results(store)["verdict"].attrs["flag_values"]) == [0, 1, 2, 3, 4, 5]
    verdict.attrs.update({"flag_meanings": "converged stalled budget_spent diverged lost flat"})
    consolidate(store)
    with refused(StoreError, store, "verdict 4", "'lost'", "'abandoned'"):
        run_sweep(recovery_sweep(), store, allow_mixed=True)


def git(folder: Path, *arguments: str) -> str:
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
    return subprocess.run(
        command, cwd=folder, env=own, check=True, capture_output=True, text=True
    ).stdout.strip()


def repository(folder: Path, content: str) -> str:
    """Make a repository with one commit; give that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(content)
    git(folder, "init", "-q")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "first")
    return git(folder, "rev-parse", "--short=12", "HEAD")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_revision_is_that_of_the_checkout_and_of_no_other(tmp_path: Path, monkeypatch) -> None:
    """Hooks and tools leave variables behind that send git elsewhere; so does a broken checkout."""
    outer = repository(tmp_path / "outer", "outer")
    inner = repository(tmp_path / "outer" / "inner", "inner")
    root = tmp_path / "outer" / "inner"
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "outer" / ".git"))
    assert outer != inner
    assert revision_of(root) == inner
    (root / "file").write_text("changed")
    assert revision_of(root) == f"{inner}+changes"
    shutil.rmtree(root / ".git")
    assert revision_of(root) == ""
    (root / ".git").mkdir()
    assert revision_of(root) == ""


def other_genprior(folder: Path, *, knows_environments: bool) -> dict[str, str]:
    """Copy this genprior with another kernel version; give the variables that lead to it."""
    for room in ("pipeline", "store", "sweeps", "tasks"):
        shutil.copytree(PROJECT / room, folder / "genprior" / room)
    kernel = folder / "genprior" / "tasks" / "experiments" / "recovery.py"
    written = kernel.read_text(encoding="utf-8")
    assert "\nKERNEL_VERSION = 5\n" in written
    kernel.write_text(written.replace("\nKERNEL_VERSION = 5\n", "\nKERNEL_VERSION = 999\n"))
    if not knows_environments:
        (folder / "genprior" / "tasks" / "environment.py").unlink()
    return {**ENVIRONMENT, "PYTHONPATH": str(folder)}


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("knows_environments", [True, False])
def test_real_workers_with_another_genprior_are_refused_in_one_line(
    tmp_path: Path, store: Path, knows_environments: bool
) -> None:
    """An older one cannot even be asked."""
    sweep = write_sweep(recovery_sweep("trials=1"), tmp_path / "sweep.toml")
    there = other_genprior(tmp_path / "other", knows_environments=knows_environments)
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr("helpers.ENVIRONMENT", there)
        address, _ = stack.enter_context(dask_cluster(tmp_path))
        command = [GENPRIOR, "run", sweep, store, "--scheduler", address]
        ended = subprocess.run(
            command, env=os.environ, capture_output=True, text=True, timeout=120, check=False
        )
    assert ended.returncode == 1, ended.stderr
    line = ended.stderr.strip().splitlines()[-1]
    assert len(ended.stderr.strip().splitlines()) == 2, ended.stderr
    assert line.startswith("genprior: ")
    assert_names(line, *["kernel version 999", "5"] if knows_environments else ["genprior"])
    assert not store.exists()
