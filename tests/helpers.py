"""Small sweeps, task kinds that misbehave as told, and ways to compare stores."""

import ctypes
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from hangs import HANGS
from threadpoolctl import threadpool_info

from genprior.sweeps import Draws, Grid, Point, Purpose, Sweep
from genprior.sweeps.variables import Flag, Variable
from genprior.tasks import EXPERIMENTS, Experiment
from genprior.tasks.numerics.latent_loss import LatentLoss
from genprior.tasks.numerics.network import Network
from genprior.tasks.numerics.operators import DenseSensing
from genprior.tasks.problems import CompressedSensing
from genprior.tasks.solvers.fast.least_squares import LeastSquares, least_squares

HERE = Path(__file__).parent
PROJECT = HERE.parent
# Processes that tests start find this module.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
}
# As for the workers that genprior starts: an idle one then takes a sixth of the processor time.
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
}
GENPRIOR = Path(sys.executable).with_name("genprior")
# What a local run says where there is no terminal.
STARTING = "starting workers, then timing a few trials"
# What may differ between two stores of the same results.
OWN_ATTRIBUTES = ("revision", "created", "sweep", "git_revision", "history")
Place = tuple[int, int, int]


def tiny_sweep(*settings: str, **changes: Any) -> Sweep:
    """12 points × 4 trials of the scripted task; two points a block, six blocks."""
    written = {
        "name": "tiny",
        "task": "scripted",
        "trials": 4,
        "seed": 7,
        "axes": {"k": [2, 4, 6], "m": [3, 5, 7, 9]},
        "parameters": {"depth": 1, "widths": [12]},
        "blocks": {"trials": 8},
        "fit": {"along": "m"},
        **changes,
    }
    return Sweep.parse(written).override(settings)


def recovery_sweep(*settings: str, **changes: Any) -> Sweep:
    """12 points × 4 trials of real recoveries in tiny networks."""
    solver = {"max_steps": 40, "step": 1.4, "tolerance": 1e-7}
    parameters = {"depth": 2, "widths": [15, 20], "solver": solver}
    return tiny_sweep(*settings, **{"task": "recovery", "parameters": parameters, **changes})


class SensingLoss(LatentLoss):
    """Compressed sensing of a network's signals, its matrix and its data at hand."""

    def __init__(self, network: Network, sensing: np.ndarray, observed: np.ndarray):
        super().__init__(network, CompressedSensing(DenseSensing(sensing), observed))

    @property
    def sensing(self) -> np.ndarray:
        return self.problem.sensing.matrix

    @property
    def observed(self) -> np.ndarray:
        return self.problem.observed

    @property
    def form(self) -> LeastSquares:
        return least_squares(self)


def gaussian_sensing(random: np.random.Generator, m: int, n: int) -> np.ndarray:
    """A with iid N(0, 1/m) entries."""
    return random.standard_normal((m, n)) / np.sqrt(m)


@dataclass(frozen=True)
class Scripted(Experiment):
    """A task that draws one number, counts its calls in files, and misbehaves as told.

    Every place is (k, m, trial). Counts outlive the processes in which they were made.
    """

    folder: str
    name: str = "scripted"
    version: int = 1
    crash_at: Place | None = None
    crashes: int = 1_000_000
    kill_at: Place | None = None
    kills: int = 1_000_000
    hang_at: Place | None = None
    hang: str = "loop"
    pause: float = 0.0
    megabytes: int = 0
    inner: tuple[str, ...] = ()
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable("success", "int8", "outcome", flags=(Flag(0, "failed"), Flag(1, "found"))),
        Variable("latent_error", "float64", "a draw"),
        Variable("iterations", "int64", "digits of the draw", "steps"),
    )

    def as_class(self) -> type[Experiment]:
        """Give a class all of whose objects are this one, for `EXPERIMENTS.built_in`."""
        return type("Given", (Scripted,), {"__new__": lambda cls: self})

    def check(self, grid: Grid) -> None:
        """Any point will do."""

    def check_point(self, point: Point) -> None:
        """Any point will do."""

    def draw(self, point: Point, draws: Draws) -> SimpleNamespace:
        return SimpleNamespace(run=lambda: self.run(point, draws))

    def run(self, point: Point, draws: Draws) -> dict[str, Any]:
        place = (point.k, point.m, draws.trial)
        calls = self._count(place)
        time.sleep(self.pause)
        if place == self.crash_at and calls <= self.crashes:
            raise ArithmeticError(f"{place} was told to crash")
        if place == self.kill_at and calls <= self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if place == self.hang_at:
            HANGS[self.hang]()
        value = float(draws(Purpose.TARGET).random())
        return {
            "success": int(value < point.m / 12),
            "latent_error": value,
            "iterations": int(1e9 * value),
        }

    def pilot(self, *arguments: Any) -> float:
        return 1e-3

    def memory(self, point: Point) -> int:
        return 0

    def _count(self, place: Place) -> int:
        counter = Path(self.folder, "-".join(map(str, place)))
        with counter.open("ab") as file:
            file.write(b".")
            return file.tell()

    def calls(self) -> dict[Place, int]:
        """How often each trial was called."""
        return {
            tuple(map(int, counter.name.split("-"))): counter.stat().st_size
            for counter in Path(self.folder).iterdir()
        }


def main() -> None:
    """Run the command line with the scripted task that the environment describes."""
    from genprior.pipeline.cli import main as genprior

    # A shell's background job, as tests may be, has Ctrl-C ignored, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    written = json.loads(os.environ["SCRIPTED"])
    places = {
        key: tuple(written[key]) for key in ("crash_at", "kill_at", "hang_at") if written[key]
    }
    EXPERIMENTS.built_in["scripted"] = Scripted(**{**written, **places}).as_class()
    genprior(prog_name="genprior")


def scripted_command(kind: Scripted, *arguments: object) -> subprocess.Popen[str]:
    """Start `genprior` with the scripted task, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "import helpers; helpers.main()", *map(str, arguments)],
        env={**ENVIRONMENT, "SCRIPTED": json.dumps(asdict(kind))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Have a process and its group gone at the end, whatever happens."""
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    """Wait for something to become true, not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def write_sweep(sweep: Sweep, path: Path) -> Path:
    """Write a sweep as a file (TOML has JSON's numbers, texts and lists)."""
    lines = []
    for key, value in sweep.as_dict().items():
        if isinstance(value, dict):
            inner = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
            lines.append(f"{key} = {{{inner}}}")
        else:
            lines.append(f"{key} = {_toml(value)}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def results(path: Path) -> xr.Dataset:
    """Load a store as a stranger would: with xarray and nothing of ours."""
    return xr.open_zarr(path, chunks=None).load()


def assert_same_results(one: Path, other: Path) -> None:
    """Two stores hold the same trials, coordinates and labels; only times and hosts may differ."""
    first, second = comparable(one), comparable(other)
    xr.testing.assert_identical(first, second.transpose(*first.dims))


def comparable(path: Path) -> xr.Dataset:
    """A store's results without what differs from run to run."""
    dataset = results(path).drop_vars("seconds")
    return dataset.assign_attrs(dict.fromkeys(OWN_ATTRIBUTES, ""))


def files(path: Path) -> dict[str, str]:
    """A hash of every file of a folder, by relative path."""
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def chunk_stamps(path: Path, variable: str = "status") -> dict[str, tuple[int, int]]:
    """Inode and time of change of every chunk of a variable: a rewritten chunk has others."""
    return {
        str(file.relative_to(path)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in sorted((path / variable / "c").rglob("*"))
        if file.is_file()
    }


def blas_threads() -> int:
    """How many threads a product may use in this process."""
    return max(found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas")


def neighbours(path: Path) -> list[str]:
    """What is next to a store."""
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name != path.name)


def done(path: Path) -> int:
    """How many trials a store holds."""
    return int((results(path)["status"] == 1).sum())


@contextmanager
def small_disk(folder: Path, megabytes: float, files: int = 0) -> Iterator[Path]:
    """Mount a file system of a few megabytes, and of so many files if that is not 0."""
    folder.mkdir()
    size = f"size={int(megabytes * 1024)}k,nr_inodes={files}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True, timeout=20)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True, timeout=20)


def fill(folder: Path, leaving: int = 0) -> Path:
    """Fill a file system up to a number of bytes, also while somebody else writes there."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        while (free := shutil.disk_usage(folder).free) > leaving:
            # What was free a moment ago, another writer may have taken since.
            try:
                file.write(bytes(free - leaving))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def assert_names(message: object, *things: object) -> None:
    """Whatever its words, a message names these: keys, files, figures."""
    for thing in things:
        assert str(thing) in str(message), f"{thing} is not named in: {message}"


@contextmanager
def refused(kind: type[BaseException], *things: object) -> Iterator[None]:
    """Expect an exception whose message is one line that names these."""
    import pytest  # not in the processes that tests start

    with pytest.raises(kind) as caught:
        yield
    assert "\n" not in str(caught.value)
    assert_names(caught.value, *things)


def offer(folder: Path, group: str, **objects: str) -> None:
    """Write what an installed package leaves: its name, its version, what it offers."""
    package = folder / "offering-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    lines = (f"{name} = {value}" for name, value in objects.items())
    (package / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))


class OldLibrary(ctypes.CDLL):
    """A C library that cannot exchange two names in one step, as those of other systems."""

    def __getattr__(self, name: str) -> Any:
        if name == "renameat2":
            raise AttributeError(name)
        return super().__getattr__(name)


def flip_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@contextmanager
def dask_cluster(
    folder: Path, worker_python: Sequence[str] = (sys.executable,), *security: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a Dask scheduler and a worker; give the address and the scheduler's process.

    The scheduler file is `scheduler.json` in the folder; security are options of both.
    """
    contact = folder / "scheduler.json"
    options = ("--port=0", "--no-dashboard", *security)
    with ended(dask_process("scheduler", contact, folder, *options)) as scheduler:
        wait_until(lambda: contact.exists() and contact.stat().st_size)
        options = ("--nthreads=2", "--no-nanny", "--memory-limit=0", *security)
        with ended(dask_process("worker", contact, folder, *options, python=worker_python)):
            yield json.loads(contact.read_text())["address"], scheduler


def dask_process(
    part: str,
    contact: Path,
    folder: Path,
    *options: str,
    python: Sequence[str] = (sys.executable,),
) -> subprocess.Popen[str]:
    common = ("--host=127.0.0.1", "--dashboard-address=127.0.0.1:0", f"--scheduler-file={contact}")
    return subprocess.Popen(
        [*python, "-m", "dask", part, *common, *options],
        env={**ENVIRONMENT, **QUIET},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
