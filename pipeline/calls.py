"""The functions of `import genprior`: a notebook's way to what the commands do.

They refuse what the commands refuse, in the same words, and change nothing of the process that
calls them for good: no signal handler, log level, default of Dask's or of Matplotlib's.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sweeps import Sweep, UserError, load_sweep, local_path
from .schedulers import LOCAL, MOST_RETRIES, MOST_WORKERS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray as xr
    from distributed import Client
    from matplotlib.figure import Figure

    from .executors import Executor
    from .fits import Fits
    from .plan import Plan
    from .progress import Progress
    from .run import RunSummary
    from .run_request import RunRequest
    from .status import StoreStatus

AnyPath = str | os.PathLike[str]
AnySweep = Sweep | str | os.PathLike[str]


def plan(sweep: AnySweep, *, workers: int | None = None) -> "Plan":
    """Count what a sweep would run, and estimate its cost from a pilot of some 4 s.

    Args:
        sweep: a sweep, the name of a preset, or the path of a sweep file.
        workers: trials run at a time; the number of processors if None.

    Raises:
        SweepError: it cannot be run: no such sweep, too large, or too much memory for a trial.
    """
    from .plan import plan_sweep

    _check_range("workers", workers, 1, MOST_WORKERS)
    return plan_sweep(_sweep(sweep), workers)


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
    progress: bool = True,
) -> "RunSummary":
    """Run the trials of a sweep that a store does not hold yet.

    The store is made if it is not there; a larger grid or more trials extend it. The same call
    again computes no finished trial twice; crashed trials are run again.

    By default blocks run in processes of this machine, as with the command, one a processor: trials
    are many small array operations, which threads of one process keep from each other. Workers do
    not import the caller's script, so that it needs no `if __name__ == "__main__"`.

    Args:
        sweep: a sweep, the name of a preset, or the path of a sweep file.
        store: path of the store, a folder.
        scheduler: `processes` (the default), `threads`, `synchronous` (in this thread), or the
            address of a running Dask scheduler.
        client: a Dask client to use instead; it stays open.
        workers: how many processes or threads; the number of processors if None.
        retries: how often a crashed trial is tried again within this run.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels; recorded in the store.
        progress: show how the run gets on: in a notebook, or on a terminal (stderr); elsewhere
            nothing is shown.

    Raises:
        UserError: it cannot be run as asked, or the store is of another experiment.
        KeyboardInterrupt: it was interrupted, so that no later cell goes on. Blocks that were
            running had five seconds to end, or none after a second interruption; what is finished
            is kept, and the same call goes on from there.
    """
    from .executors import SchedulerError, open_executor, use_client
    from .notebook import shown_progress

    _check_range("workers", workers, 1, MOST_WORKERS)
    _check_range("retries", retries, 0, MOST_RETRIES)
    if client is not None and (scheduler is not None or workers is not None):
        raise SchedulerError("client: it has its scheduler and its workers; give no others.")
    chosen, path = _sweep(sweep), local_path(os.fspath(store))
    with shown_progress(progress) as shown:
        is_there = client is not None or (scheduler or LOCAL[0]) not in LOCAL
        shown.phase("connecting to workers" if is_there else "starting workers")

        def opened(check: Callable[[], None]) -> "AbstractContextManager[Executor]":
            if client is not None:
                return use_client(client, shown.tell, check)
            return open_executor(scheduler or "processes", workers, shown.tell, check)

        summary = run_shown(
            chosen, path, opened, shown,
            retries=retries, fail_fast=fail_fast, allow_mixed=allow_mixed,
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
) -> "RunSummary":
    """Check a sweep while its workers start, and run it; the command and `run` do so.

    Args:
        sweep: what to run.
        path: the store.
        opened: starts workers and calls its argument meanwhile.
        shown: shows the progress.
        retries: how often a crashed trial is tried again.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels.

    Raises:
        UserError: it cannot be run as asked.
    """
    checked: list[RunRequest] = []

    def check() -> None:
        from .run_request import check_request  # while workers start

        checked.append(check_request(sweep, path))
        shown.expect(checked[0].trials)

    with opened(check) as executor:
        from .run import run_request

        shown.phase("timing a few trials")
        return run_request(
            checked[0],
            executor,
            retries=retries,
            fail_fast=fail_fast,
            allow_mixed=allow_mixed,
            listen=shown.listen,
            tell=shown.tell,
        )


def status(store: AnyPath) -> "StoreStatus":
    """Count what a store holds: trials, successes, crashes, fits, damage.

    Raises:
        UserError: there is no store, or it cannot be read.
    """
    _spare_dask()
    from .status import store_status

    return store_status(local_path(os.fspath(store)))


def open(store: AnyPath) -> "xr.Dataset":
    """Open the results of a store, lazily, as `xarray.open_zarr` does.

    Returns:
        Dimensions are the swept axes and `trial`; NaN means *not run*.

    Raises:
        UserError: there is no store, or it cannot be read.
    """
    _spare_dask()
    from ..store import open_results

    return open_results(local_path(os.fspath(store)), chunks={})


def fit(store: AnyPath, *, along: str | None = None) -> "Fits":
    """Make the fits that a store's sweep names, and write them into it.

    Args:
        store: its path.
        along: axis of the transition; the sweep's `fit.along` if None.

    Returns:
        A labelled dataset for each analysis, by its name: `fits["transition"].p50`.

    Raises:
        SweepError: the sweep names nothing to fit, or what cannot be fitted.
        StoreError: the store cannot be read or written.
    """
    _spare_dask()
    from .analysis import fit_store

    return fit_store(local_path(os.fspath(store)), along)


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
        store: its path.
        size: width and height in inches; as needed if None.
        title: whether the sweep's title is written above.
        log: whether the axis below is logarithmic.
        trajectories: of a landscape, the path of a store of descents on its planes, which are drawn
            over the contours.

    Returns:
        A figure that no list of pyplot's holds: a notebook shows it once, as the value of a cell,
        and `savefig` writes it.

    Raises:
        SweepError: there is too much for a picture, the size does not suit it, or the descents are
            on other planes.
        StoreError: the store cannot be read.
    """
    _spare_dask()
    from .plain_matplotlib import usual_matplotlib

    with usual_matplotlib():
        from ..store import read_info
        from .canvas import Look
        from .figures import draw, read_size

        if size is not None and not (isinstance(size, tuple | list) and len(size) == 2):
            raise UserError(f"size: {size!r} is no width and height in inches, as in (8, 5).")
        written = None if size is None else "x".join(str(side) for side in size)
        look = Look(read_size(written), title, log)
        info = read_info(local_path(os.fspath(store)))
        if trajectories is None:
            return draw(info, look)
        return draw(info, look, read_info(local_path(os.fspath(trajectories))))


def _sweep(given: AnySweep) -> Sweep:
    if isinstance(given, Sweep):
        return given
    if isinstance(given, Mapping):
        raise UserError("sweep: tables are no sweep yet; give Sweep.parse(tables).")
    return load_sweep(os.fspath(given))


def _check_range(name: str, value: Any, low: int, high: int) -> None:
    """Refuse a number that the command's option would refuse."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UserError(f"{name}: {value!r} is not a whole number from {low} to {high}.")


def _spare_dask() -> None:
    """Read a store whatever files of Dask's configuration say."""
    from .cluster_errors import spare_dask

    spare_dask()
