"""Local workers take what they need, start anywhere, and say in one line why they cannot."""

import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dask
import distributed  # noqa: F401 - its defaults must be there before settings are changed
import pytest
from distributed.scheduler import KilledWorker
from helpers import ENVIRONMENT, GENPRIOR, assert_names, dask_cluster, done

from genprior.pipeline import interrupts
from genprior.pipeline.executors import local_cluster
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.executors.distributed import Distributed
from genprior.pipeline.executors.errors import ClusterError, WorkersDiedError, known_failure
from genprior.pipeline.executors.memory import group_memory
from genprior.pipeline.executors.opening import open_executor

SMALL = ("quickstart", "runs.zarr", "--set=k=2", "--set=m=11", "--trials=1")
MEGABYTE = 10**6


def command(folder: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run `genprior` as a user does, in a folder."""
    environment = {**ENVIRONMENT, **settings.pop("env", {})}
    return subprocess.run(
        [GENPRIOR, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=240, check=False, **settings,
    )  # fmt: skip


def last_line(ended: subprocess.CompletedProcess[str], exit_status: int = 1) -> str:
    """The one line on stderr that a command failed with."""
    assert ended.returncode == exit_status, ended.stderr
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("genprior: "), ended.stderr
    assert "Traceback" not in ended.stderr
    return line


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_start_with_little_memory_and_next_to_any_files(
    tmp_path: Path,
) -> None:
    """Dask would share 300 MB out among two workers, which hold 150 MB each, and pause them.

    A `signal.py` is imported by Python itself in a new process, `random.py` by many libraries.
    """
    for name in ("signal", "threading", "random", "numpy", "dask"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not what was meant')")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_RSS, (300 * MEGABYTE, 300 * MEGABYTE))

    ended = command(tmp_path, "run", *SMALL, "--workers=2", preexec_fn=limit)
    assert ended.returncode == 0, ended.stderr
    assert done(tmp_path / "runs.zarr") == 1


def test_as_many_workers_start_as_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(local_cluster, "available_memory", lambda: 500e6)
    assert local_cluster.affordable_workers(2, told.append) == 2
    assert told == []
    assert local_cluster.affordable_workers(8, told.append) == 3
    assert_names(told[0], "8 workers", "1.19 GiB", "476.84 MiB")
    monkeypatch.setattr(local_cluster, "available_memory", lambda: 100e6)
    with pytest.raises(ClusterError, match=r"95\.37 MiB"):
        local_cluster.affordable_workers(1, told.append)


def test_a_worker_that_may_not_have_what_it_needs_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def limited(kind: int) -> tuple[int, int]:
        return (100 * MEGABYTE if kind == resource.RLIMIT_RSS else resource.RLIM_INFINITY,) * 2

    monkeypatch.setattr(resource, "getrlimit", limited)
    with pytest.raises(ClusterError, match=r"ulimit -m.* 95\.37 MiB"):
        local_cluster.affordable_workers(1, print)


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        (
            "0::/job/step",
            {
                "job/step/memory.max": "max",
                "job/memory.max": "1000",
                "job/memory.current": "700",
                "job/memory.stat": "anon 400\ninactive_file 200\nactive_file 50",
            },
            [550],
        ),
        (
            "7:cpu,memory:/job",
            {
                "memory/job/memory.limit_in_bytes": "1000",
                "memory/job/memory.usage_in_bytes": "700",
                "memory/job/memory.stat": "inactive_file 1\ntotal_inactive_file 100",
                "memory/memory.limit_in_bytes": "600",
                "memory/memory.usage_in_bytes": "800",
                "memory/memory.stat": "",
            },
            [400, 0],
        ),
        ("0::/../elsewhere", {}, []),
    ],
)
def test_what_a_batch_job_or_a_container_has_left(
    tmp_path: Path, line: str, files: dict[str, str], expected: list[float]
) -> None:
    """Limit − (usage − files that can be dropped), in every group from the process's upwards."""
    mount = tmp_path / "cgroup"
    mount.mkdir()
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    membership = tmp_path / "membership"
    membership.write_text(f"1:cpuset:/x\n{line}\n")
    assert list(group_memory(membership, mount)) == expected


@pytest.mark.slow
def test_a_broken_dask_configuration_is_named_where_dask_is_needed(
    tmp_path: Path, recovered: Path
) -> None:
    """It is read when Dask is imported, which most commands do without."""
    broken = tmp_path / "mine.yaml"
    broken.write_text("distributed: [1, 2")
    env = {"DASK_CONFIG": str(broken)}
    for plain in (["--version"], ["status", str(recovered)]):
        assert command(tmp_path, *plain, env=env).returncode == 0
    assert str(broken) in last_line(command(tmp_path, "run", *SMALL, env=env))


@pytest.mark.cluster
def test_a_failed_start_says_why() -> None:
    with (
        dask.config.set({"distributed.scheduler.preload": ["no_such_module"]}),
        pytest.raises(ClusterError, match="no_such_module"),
        open_executor("processes", 1),
    ):
        pass


@pytest.mark.cluster
def test_an_environment_is_as_it_was_after_the_workers(processes: Executor) -> None:
    """Dask sets variables of its workers in this process; a notebook goes on after a run."""
    before = dict(os.environ)
    with open_executor("threads", 1):
        pass
    assert dict(os.environ) == before


@pytest.fixture
def without_genprior(tmp_path: Path) -> list[str]:
    """A Python with everything that is installed here except genprior."""
    links = tmp_path / "packages"
    links.mkdir()
    for path in map(Path, sys.path):
        if path.name == "site-packages":
            for entry in path.iterdir():
                if "genprior" not in entry.name and not (links / entry.name).exists():
                    (links / entry.name).symlink_to(entry)
    return ["env", f"PYTHONPATH={links}", sys.executable, "-S"]


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_without_genprior_are_told_in_one_line(
    tmp_path: Path, without_genprior: list[str]
) -> None:
    with dask_cluster(tmp_path, worker_python=without_genprior) as (address, _):
        line = last_line(command(tmp_path, "run", *SMALL, f"--scheduler={address}"))
    assert_names(line, "workers", "import genprior")
    assert not (tmp_path / "runs.zarr").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'genprior'"), "workers"),
        (Exception("ModuleNotFoundError(\"No module named 'x'\")"), "workers"),
        (RuntimeError("Error during deserialization"), "scheduler"),
    ],
)
def test_what_dask_says_of_a_missing_module(error: Exception, said: str) -> None:
    if isinstance(error, RuntimeError):
        error.__cause__ = ModuleNotFoundError("No module named 'genprior'")
    assert said in str(known_failure(error))
    assert known_failure(ValueError("something else")) is None


def test_only_a_missing_module_of_ours_is_told_as_a_missing_genprior() -> None:
    """A class of the user's may need a package, or have a fault, of its own."""
    theirs = known_failure(ModuleNotFoundError("No module named 'mine'"))
    assert "mine" in str(theirs)
    assert "genprior" not in str(theirs)
    faults = ["'NoneType' object has no attribute 'get'", "module '/data/genprior/x' has no 'y'"]
    assert [known_failure(AttributeError(fault)) for fault in faults] == [None, None]
    ours = "Can't get attribute 'Block' on <module 'genprior.pipeline.run.worker' from 'x.py'>"
    assert "another version of genprior" in str(known_failure(AttributeError(ours)))
    assert isinstance(known_failure(KilledWorker("task", None, 3)), WorkersDiedError)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_call_that_kills_its_workers_ends_in_one_line(processes: Executor) -> None:
    ((_, outcome),) = processes.stream(os._exit, [1])
    assert isinstance(outcome, WorkersDiedError)
    assert "worker that got this task died" in str(outcome)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[signal.Signals], None]]:
    """Send signals to this process, whose handlers are as before at the end."""
    monkeypatch.setattr(interrupts, "ONE", 0.0)
    handlers = {kind: signal.getsignal(kind) for kind in interrupts.SIGNALS}
    for kind in handlers:  # also where the tests run under nohup
        signal.signal(kind, signal.default_int_handler)
    yield signal.raise_signal
    for kind, handler in handlers.items():
        signal.signal(kind, handler)


def test_a_command_is_interrupted_once_and_again_only_while_it_waits(
    signals: Callable[[signal.Signals], None],
) -> None:
    with interrupts.terminable():
        with pytest.raises(KeyboardInterrupt):
            signals(signal.SIGTERM)
        interrupts.heard()
        signals(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interrupts.heeding():
            signals(signal.SIGHUP)
        signals(signal.SIGINT)
    signals(signal.SIGTERM)  # nothing ends a process that ends
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_an_interruption_that_python_drops_is_raised_again_without_a_word(
    signals: Callable[[signal.Signals], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """As in a callback of the garbage collector; other exceptions are still told."""

    class Dropping:
        def __init__(self, error: bool) -> None:
            self.error = error

        def __del__(self) -> None:
            if self.error:
                raise ArithmeticError("told")
            signals(signal.SIGINT)

    with interrupts.terminable():
        Dropping(error=False)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        Dropping(error=True)
    said = capfd.readouterr().err
    assert "KeyboardInterrupt" not in said
    assert "ArithmeticError: told" in said


@pytest.mark.cluster
def test_an_interruption_that_python_drops_ends_the_start_of_workers(
    signals: Callable[[signal.Signals], None],
) -> None:
    class Dropping:
        def __del__(self) -> None:
            signals(signal.SIGINT)

    said: list[str] = []
    with (
        interrupts.terminable(),
        pytest.raises(KeyboardInterrupt),
        open_executor("threads", 1, said.append, lambda: Dropping() and None),
    ):
        said.append("ready")
    assert said == ["stopping"]


def test_signals_at_nearly_the_same_time_are_one(
    signals: Callable[[signal.Signals], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal, `timeout` and batch systems send to a group and to its members."""
    monkeypatch.setattr(interrupts, "ONE", 1e9)
    with interrupts.terminable():
        with pytest.raises(KeyboardInterrupt):
            signals(signal.SIGTERM)
        interrupts.heard()
        with interrupts.heeding():
            signals(signal.SIGTERM)


def test_a_step_that_must_be_whole_is_interrupted_at_its_end(
    signals: Callable[[signal.Signals], None],
) -> None:
    steps = []

    def step() -> None:
        with interrupts.interrupts_deferred():
            signals(signal.SIGINT)
            steps.append("whole")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert steps == ["whole"]
    with interrupts.terminable(), interrupts.interrupts_deferred():
        signals(signal.SIGINT)  # a command that closes ends anyway
        steps.append("closed")
    assert steps == ["whole", "closed"]


def test_an_interruption_that_python_drops_is_raised_again(
    signals: Callable[[signal.Signals], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is raised in a callback of the garbage collector, as Dask has one, goes nowhere."""

    def dropped(phase: str, info: dict[str, int]) -> None:
        signals(signal.SIGINT)

    with interrupts.terminable():
        gc.callbacks.append(dropped)
        try:
            with monkeypatch.context() as patched:
                patched.setattr(sys, "unraisablehook", lambda unraisable: None)
                gc.collect()
        finally:
            gc.callbacks.remove(dropped)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        with pytest.raises(KeyboardInterrupt):
            signals(signal.SIGTERM)
        interrupts.heard()
        interrupts.check()
        signals(signal.SIGTERM)


@pytest.mark.cluster
def test_workers_do_not_measure_what_nobody_sees(processes: Executor) -> None:
    """A profile of what runs, 100 times a second, is shown by a dashboard only."""
    assert isinstance(processes, Distributed)
    asked = partial(dask.config.get, "distributed.worker.profile.enabled")
    assert processes.everywhere(asked) == [False, False]
