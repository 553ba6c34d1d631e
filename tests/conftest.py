"""Fixtures of all tests: scripted tasks, stores, the command line, workers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import Scripted, dask_cluster, recovery_sweep, tiny_sweep

from genprior.pipeline import run_sweep
from genprior.pipeline.cli import main
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.executors.opening import open_executor
from genprior.tasks import EXPERIMENTS

BY_HAND = ("slow", "fuzz", "soak", "slurm")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that mounts file systems in a user namespace of its own, unless we are root."""
    if pyfuncitem.get_closest_marker("mounts") is None or os.geteuid() == 0:
        return None
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    command += [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", pyfuncitem.nodeid]
    ended = subprocess.run(
        command, cwd=pyfuncitem.config.rootpath, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long and is asked for by name, with `-m`."""
    absent = [name for name in BY_HAND if name not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, absent))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def kind(tmp_path: Path) -> Scripted:
    """The scripted task, well behaved, its calls counted."""
    return _scripted(tmp_path / "calls")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A path for a store, alone in its folder."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder / "tiny.zarr"


@pytest.fixture
def genprior(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call the command line in this process, the scripted task known to it."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())

    def call(*arguments: object) -> Result:
        command = list(map(str, arguments))
        if command[0] == "run" and not {"--scheduler", "--cluster", "--profile"} & set(command):
            command += ["--scheduler", "synchronous"]
        return CliRunner().invoke(main, command)

    return call


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep of the scripted task, run in one go in this process; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_sweep(tiny_sweep(), folder / "tiny.zarr", kind=_scripted(folder / "calls"))
    return folder / "tiny.zarr"


@pytest.fixture(scope="session")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep of real recoveries, run in one go in this process; not to be changed."""
    path = tmp_path_factory.mktemp("recovered") / "tiny.zarr"
    run_sweep(recovery_sweep(), path)
    return path


@pytest.fixture(scope="session")
def two_processes() -> Iterator[Executor]:
    """Two worker processes, as `--scheduler processes` starts them."""
    with open_executor("processes", 2) as executor:
        yield executor


@pytest.fixture
def processes(two_processes: Executor) -> Executor:
    """Give the two worker processes once those that an earlier test killed are back."""
    two_processes.client.wait_for_workers(2, timeout=120)
    return two_processes


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with a worker, started as a user would, over loopback."""
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as (address, _):
        yield address


def _scripted(folder: Path) -> Scripted:
    folder.mkdir()
    return Scripted(str(folder))
