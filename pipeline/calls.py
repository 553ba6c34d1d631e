"""The functions of `import genprior`: what the commands do, for scripts and notebooks.

They refuse what the commands refuse, with the same messages. When they return, signal handlers, log
levels, and the defaults of Dask and Matplotlib are as before.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sweeps import Sweep, UserError
from .arguments import (
    number_in,
    scheduler_name,
    seconds_in,
    store_path,
    sweep_of,
    text_or_none,
    truth,
)
from .executors.errors import spare_dask
from .executors.schedulers import (
    GRACE,
    LOCAL,
    MOST_GRACE,
    MOST_RETRIES,
    MOST_TRIAL_TIMEOUT,
    MOST_WORKERS,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray as xr
    from distributed import Client
    from matplotlib.figure import Figure

    from .executors.base import Executor
    from .fit.results import Fits
    from .run.plan import Plan
    from .run.request import RunRequest
    from .run.runner import RunSummary
    from .show.progress import Progress
    from .status import StoreStatus

AnyPath = str | os.PathLike[str]
AnySweep = Sweep | str | os.PathLike[str]


def plan(sweep: AnySweep, *, workers: int | None = None) -> "Plan":
    """Count the points, trials and blocks of a sweep, and estimate its cost from a pilot of 4 s.

    Args:
        sweep: a sweep, the name of a preset, or the path of a sweep file.
        workers: trials run at a time; the number of processors if None.

    Raises:
        SweepError: there is no such sweep, it is too large, or a trial needs too much memory.
    """
    from .run.plan import plan_sweep

    return plan_sweep(sweep_of(sweep), _workers(workers))


def run(
    sweep: AnySweep,
    store: AnyPath,
    *,
    scheduler: str | None = None,
    client: "Client | None" = None,
    workers: int | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    allow_mixed: bool = False,
    trial_timeout: float | None = None,
    grace: float = GRACE,
    progress: bool = True,
) -> "RunSummary":
    """Run the trials of a sweep that a store does not hold yet.

    The store is made if it does not exist; a larger grid or more trials extend it. If the same call
    is repeated, finished trials are not computed again, and crashed trials are.

    By default blocks run in processes of this machine, one for each processor, as with the command.
    Trials are many small array operations, and threads of one process slow each other down. Workers
    do not import the caller's script, so that it needs no `if __name__ == "__main__"`.

    Args:
        sweep: a sweep, the name of a preset, or the path of a sweep file.
        store: path of the store, a folder.
        scheduler: `processes` (the default), `threads`, `synchronous` (in this thread), or the
            address of a running Dask scheduler.
        client: a Dask client to use instead of `scheduler`; it stays open.
        workers: number of processes or threads; the number of processors if None.
        retries: how often a crashed trial is tried again within this run.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels; the store records it.
        trial_timeout: seconds after which a trial is stopped and recorded as crashed; None for no
            limit.
        grace: seconds that running trials get to end after an interruption.
        progress: show the progress in a notebook or on a terminal (stderr); elsewhere nothing is
            shown.

    Raises:
        UserError: the sweep cannot be run, or the store holds another experiment.
        KeyboardInterrupt: the run was interrupted; it is raised so that later cells do not run.
            Running trials get `grace` seconds to end, or none after a second interruption. Finished
            trials are kept, and the same call continues with the others.
    """
    from .executors.errors import SchedulerError
    from .executors.opening import open_executor, use_client
    from .show.notebook import shown_progress

    workers, scheduler = _workers(workers), scheduler_name(scheduler)
    retries = number_in("retries", retries, 0, MOST_RETRIES)
    fail_fast, allow_mixed = truth("fail_fast", fail_fast), truth("allow_mixed", allow_mixed)
    if trial_timeout is not None:
        trial_timeout = seconds_in("trial_timeout", trial_timeout, MOST_TRIAL_TIMEOUT, zero=False)
    grace = seconds_in("grace", grace, MOST_GRACE)
    progress = truth("progress", progress)
    if client is not None and (scheduler is not None or workers is not None):
        raise SchedulerError(
            "client: it has its own scheduler and workers; leave out scheduler and workers."
        )
    chosen, path = sweep_of(sweep), store_path(store)
    with shown_progress(progress) as shown:
        is_running = client is not None or (scheduler or LOCAL[0]) not in LOCAL
        shown.phase("connecting to workers" if is_running else "starting workers")

        def opened(check: Callable[[], None]) -> "AbstractContextManager[Executor]":
            if client is not None:
                return use_client(client, shown.tell, check)
            return open_executor(scheduler or "processes", workers, shown.tell, check)

        summary = run_shown(
            chosen, path, opened, shown,
            retries=retries, fail_fast=fail_fast, allow_mixed=allow_mixed,
            trial_timeout=trial_timeout, grace=grace,
        )  # fmt: skip
    if summary.interrupted:
        raise KeyboardInterrupt(f"{summary.done} of {summary.total} trials are done and kept")
    return summary


def run_shown(
    sweep: Sweep,
    path: Path,
    opened: "Callable[[Callable[[], None]], AbstractContextManager[Executor]]",
    shown: "Progress",
    *,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    trial_timeout: float | None,
    grace: float,
) -> "RunSummary":
    """Check a sweep while its workers start, and run it, for the command and for `run`.

    Args:
        sweep: what to run.
        path: the store.
        opened: starts workers, and calls its argument while they start.
        shown: shows the progress.
        retries: how often a crashed trial is tried again.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels.
        trial_timeout: seconds that a trial may take; None for no limit.
        grace: seconds that running trials get after an interruption.

    Raises:
        UserError: the sweep cannot be run, or the store holds another experiment.
    """
    checked: list[RunRequest] = []

    def check() -> None:
        from .run.request import check_request  # imported while workers start

        checked.append(check_request(sweep, path))
        shown.expect(checked[0].trials)

    with opened(check) as executor:
        from .run.runner import run_request

        shown.phase("timing a few trials")
        return run_request(
            checked[0],
            executor,
            retries=retries,
            fail_fast=fail_fast,
            allow_mixed=allow_mixed,
            trial_timeout=trial_timeout,
            grace=grace,
            listen=shown.listen,
            tell=shown.tell,
        )


def status(store: AnyPath) -> "StoreStatus":
    """Count a store's trials, successes and crashes, and list its analyses and damages.

    Raises:
        UserError: there is no store, or it cannot be read.
    """
    spare_dask()
    from .status import store_status

    return store_status(store_path(store))


def open(store: AnyPath) -> "xr.Dataset":
    """Open the results of a store lazily, like `xarray.open_zarr`, if nothing of them is lost.

    Returns:
        A dataset whose dimensions are the swept axes and `trial`; NaN means *not run*.

    Raises:
        UserError: there is no store, it cannot be read, or a part of it is missing or damaged.
    """
    spare_dask()
    from ..store import open_complete

    return open_complete(store_path(store), chunks={})


def fit(store: AnyPath, *, along: str | None = None) -> "Fits":
    """Make the analyses that a store's sweep asks for, and write them into the store.

    Args:
        store: path of the store.
        along: axis of the transition; the sweep's `fit.along` if None.

    Returns:
        A labelled dataset for each analysis, by its name: `fits["transition"].p50`.

    Raises:
        SweepError: the sweep asks for no analysis, or only for analyses that cannot be made.
        StoreError: the store cannot be read or written.
    """
    spare_dask()
    from .fit.fitting import fit_store

    return fit_store(store_path(store), text_or_none("along", along, "the name of an axis"))


def plot(
    store: AnyPath,
    *,
    size: tuple[float, float] | None = None,
    title: bool = True,
    log: bool = False,
    trajectories: AnyPath | None = None,
) -> "Figure":
    """Draw a store's results: curves over one axis, a map with the 50 % contour over two.

    Args:
        store: path of the store.
        size: width and height in inches; as the picture needs if None.
        title: whether the sweep's title is written above.
        log: whether the horizontal axis is logarithmic.
        trajectories: for a landscape, the path of a store of descents on its planes; they are drawn
            over the contours.

    Returns:
        A figure that pyplot does not manage: a notebook shows it once, as the value of a cell, and
        `savefig` writes it.

    Raises:
        SweepError: there are too many curves or panels for a picture, the size is too small, or the
            descents are on other planes.
        StoreError: the store cannot be read.
    """
    spare_dask()
    from .show.plain_matplotlib import usual_matplotlib

    with usual_matplotlib():
        from ..store import read_info
        from .show.canvas import Look
        from .show.figures import draw, read_size

        if size is not None and not (isinstance(size, tuple | list) and len(size) == 2):
            raise UserError(f"size: {size!r} is not a width and a height in inches, as in (8, 5).")
        size_text = None if size is None else "x".join(str(side) for side in size)
        look = Look(read_size(size_text), truth("title", title), truth("log", log))
        info = read_info(store_path(store))
        if trajectories is None:
            return draw(info, look)
        return draw(info, look, read_info(store_path(trajectories)))


def _workers(given: Any) -> int | None:
    return None if given is None else number_in("workers", given, 1, MOST_WORKERS)
