"""What the pipeline costs: overhead, scaling, start, files, and a sweep of a million trials."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from ...store import read_status
from ...sweeps import Sweep, load_sweep
from ...tasks.experiments.no_operation import NoOperation
from ...tasks.experiments.recovery import Recovery
from ..executors.opening import open_executor
from ..run.plan import plan_sweep
from ..run.runner import run_sweep
from ..run.summary import RunSummary

POINTS = ("depth=2", "k=40,60,80,100")
FIRST_RESULTS = 3
TIMEOUT = 120.0
LARGE_BLOCKS = 20  # of 10,000 trials
SMALL_BLOCKS = 400
MANY_BLOCKS = 3_000
Rows = list[dict[str, Any]]


def pipeline_measures(seconds: float, workers: int, trials: int) -> dict[str, Callable[[], Rows]]:
    """Give the measures of the pipeline, by name.

    Args:
        seconds: about how long the run takes whose overhead is measured.
        workers: number of worker processes.
        trials: number of trials of the large sweep.
    """
    return {
        "first result": partial(_first_results, workers),
        "overhead and scaling": partial(_overhead, seconds, workers),
        "per trial and per block": partial(_costs, workers),
        "files": partial(_files, workers),
        "scale": partial(_scale, workers, trials),
    }


def _first_results(workers: int) -> Rows:
    """Time a command from its start until the first block is in its store."""
    rows = []
    for _ in range(FIRST_RESULTS):
        with tempfile.TemporaryDirectory() as folder:
            path, begun = Path(folder) / "first.zarr", time.perf_counter()
            command = ["run", "quickstart", str(path), f"--workers={workers}"]
            with _process([sys.executable, "-m", "genprior", *command]) as process:
                blocks = path / "status" / "c"
                while not any(blocks.rglob("*")) and process.poll() is None:
                    time.sleep(0.01)
                seconds = time.perf_counter() - begun
            rows.append({"command": "run quickstart", "workers": workers, "seconds": seconds})
    return rows


def _overhead(seconds: float, workers: int) -> Rows:
    """Run the same trials with one worker and with all, in turn."""
    planned = plan_sweep(load_sweep("cocola-fig1").override([*POINTS, "trials=1"]), workers)
    count = max(1, round(seconds * workers / planned.cpu_seconds))
    rows = []
    for used in sorted({1, workers}):
        # Both runs compute for about the same time.
        trials = max(1, count * used // workers)
        sweep = load_sweep("cocola-fig1").override([*POINTS, f"trials={trials}"])
        summary = _run(sweep, used)
        rows.append(
            {
                "workers": used,
                "trials": summary.computed,
                "blocks": summary.blocks,
                "wall_seconds": summary.wall_seconds,
                "trial_seconds": summary.trial_seconds,
                "overhead": summary.wall_seconds * used / summary.trial_seconds,
                "trials_per_second": summary.computed / summary.wall_seconds,
            }
        )
    return [
        {**row, "scaling": row["trials_per_second"] / rows[0]["trials_per_second"]} for row in rows
    ]


def _costs(workers: int) -> Rows:
    """Run trials that do nothing, in few large blocks and in many of one trial."""
    rows = []
    for trials, block in ((LARGE_BLOCKS * 10_000, 10_000), (SMALL_BLOCKS, 1)):
        summary = _run(_no_operation(trials, f"blocks.trials={block}"), workers)
        per = summary.wall_seconds * workers
        rows.append(
            {
                "trials": summary.computed,
                "blocks": summary.blocks,
                "wall_seconds": summary.wall_seconds,
                "us_per_trial": per / summary.computed * 1e6,
                "ms_per_block": per / summary.blocks * 1e3,
            }
        )
    return rows


def _files(workers: int) -> Rows:
    """Count the files of the results of recoveries, as planned: a block has one of each array."""
    arrays = len(Recovery.variables) + 2  # the seconds and the status
    rows = []
    for trials in (1_000, 10_000, 100_000, 1_000_000):
        sides = ["k=1:10:1", "m=1:10:1", f"trials={trials // 100}"]
        planned = plan_sweep(load_sweep("quickstart").override(sides), workers)
        files = arrays * planned.blocks
        rows.append(
            {
                "trials": planned.trials,
                "blocks": planned.blocks,
                "files": files,
                "files_per_1000_trials": 1000 * files / planned.trials,
            }
        )
    return rows


def _scale(workers: int, trials: int) -> Rows:
    """Run sweeps on a scheduler in a process of its own: the large one, and many small blocks."""
    rows = []
    sizes: dict[int, tuple[str, ...]] = {trials: (), MANY_BLOCKS: ("blocks.trials=1",)}
    for size, settings in sizes.items():
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            contact = Path(folder) / "scheduler.json"
            scheduler = stack.enter_context(_dask("scheduler", contact, "--port=0"))
            _await(contact.exists)
            alone = ("--nthreads=1", "--no-nanny", "--memory-limit=0")
            started = [
                stack.enter_context(_dask("worker", contact, *alone)) for _ in range(workers)
            ]
            address = json.loads(contact.read_text())["address"]
            client, server = psutil.Process(), psutil.Process(scheduler.pid)
            with open_executor(address) as executor:
                _await(lambda: executor.workers >= workers)
                path = Path(folder) / "scale.zarr"
                before = [_processor_seconds(process) for process in (client, server)]
                summary = run_sweep(_no_operation(size, *settings), path, executor)
                after = [_processor_seconds(process) for process in (client, server)]
            used = [late - early for early, late in zip(before, after, strict=True)]
            rows.append(
                {
                    "trials": int((read_status(path) == 1).sum()),
                    "blocks": summary.blocks,
                    "wall_seconds": summary.wall_seconds,
                    "trials_per_second": summary.computed / summary.wall_seconds,
                    "client_cpu_seconds": used[0],
                    "scheduler_cpu_seconds": used[1],
                    "client_ms_per_block": used[0] / summary.blocks * 1e3,
                    "scheduler_ms_per_block": used[1] / summary.blocks * 1e3,
                    "client_peak_MB": _peak(client),
                    "scheduler_peak_MB": _peak(server),
                    "worker_peak_MB": max(_peak(psutil.Process(one.pid)) for one in started),
                }
            )
    return rows


def _run(sweep: Sweep, workers: int) -> RunSummary:
    """Run a sweep in worker processes, into a store that is then removed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_executor("processes", workers) as executor,
    ):
        return run_sweep(sweep, Path(folder) / "bench.zarr", executor)


def _no_operation(trials: int, *settings: str) -> Sweep:
    """A sweep of trials that do nothing, over a grid of 100 × 100 points if there are enough."""
    side = 100 if trials >= 10_000 else 10
    return Sweep.parse(
        {
            "task": NoOperation().name,
            "trials": max(1, trials // side**2),
            "axes": {"k": f"1:{side}:1", "m": f"1:{side}:1"},
            "parameters": {"depth": 1, "widths": [side]},
        }
    ).override(settings)


def _dask(part: str, contact: Path, *options: str) -> Any:
    common = ("--host=127.0.0.1", "--no-dashboard", f"--scheduler-file={contact}")
    return _process([sys.executable, "-m", "dask", part, *common, *options], cwd=contact.parent)


@contextmanager
def _process(command: list[str], **settings: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process, and end it."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, **settings)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {TIMEOUT:.0f} s")
        time.sleep(0.05)


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak(process: psutil.Process) -> float:
    """Give the highest resident memory of a process so far, in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float(process.memory_info().rss) / 1e6
