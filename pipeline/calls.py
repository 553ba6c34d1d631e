"""The functions of `import genprior`: what the commands do, for scripts and notebooks.

They refuse what the commands refuse, with the same messages. When they return, signal handlers, log
levels, and the defaults of Dask and Matplotlib are as before.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..sweeps import Sweep, UserError
from ..sweeps.placing import adapted
from .arguments import (
    number_in,
    positive,
    profile_name,
    scheduler_name,
    seconds_in,
    store_path,
    sweep_of,
    text_or_none,
    truth,
)
from .executors.errors import spare_dask
from .interrupts import SIGNALS
from .limits import (
    GRACE,
    MOST_BUDGET,
    MOST_ERROR,
    MOST_GRACE,
    MOST_RERUN,
    MOST_RETRIES,
    MOST_SEED,
    MOST_TRIAL_TIMEOUT,
    MOST_WORKERS,
)
from .outside_imports import signals_outside_imports
from .workers import Workers, open_workers

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray as xr
    from distributed import Client
    from matplotlib.figure import Figure

    from .executors.base import Executor
    from .fit.results import Fits
    from .run.plan import Plan
    from .run.request import RunRequest
    from .run.summary import RunSummary
    from .status import StoreStatus
    from .upkeep.merge import MergeSummary, StoreLayout
    from .upkeep.verify import StoreCheck

AnyPath = str | os.PathLike[str]
AnySweep = Sweep | str | os.PathLike[str]


def plan(
    sweep: AnySweep,
    *,
    workers: int | None = None,
    adaptive: bool = False,
    precision: float | None = None,
) -> "Plan":
    """Count the points, trials and blocks of a sweep, and estimate its cost from a pilot of 4 s.

    Args:
        sweep: a sweep, the name of a preset, or the path of a sweep file.
        workers: trials run at a time; the number of processors if None.
        adaptive: as for `run`.
        precision: as for `run`.

    Raises:
        SweepError: there is no such sweep, it is too large, or a trial needs too much memory.
    """
    from .run.plan import plan_sweep

    chosen = adapted(sweep_of(sweep), truth("adaptive", adaptive), _precision(precision))
    return plan_sweep(chosen, _workers(workers))


@signals_outside_imports(SIGNALS)
def run(
    sweep: AnySweep,
    store: AnyPath,
    *,
    scheduler: str | None = None,
    client: "Client | None" = None,
    workers: int | None = None,
    cluster: str | None = None,
    profile: AnyPath | None = None,
    jobs: int | None = None,
    part: str | None = None,
    adaptive: bool = False,
    precision: float | None = None,
    budget: float | None = None,
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
        scheduler: `processes` (the default), `threads`, `synchronous` (in this thread), `srun` (in
            the tasks of the Slurm job that this is in), the address of a running Dask scheduler, or
            the path of its scheduler file.
        client: a Dask client to use instead of `scheduler`; it stays open.
        workers: number of processes or threads; the number of processors if None.
        cluster: the batch system to which worker jobs are submitted instead: `slurm`, `pbs`, `sge`,
            `lsf`, `htcondor` or `oar`.
        profile: what a worker job asks for: a table of `~/.config/genprior/clusters.toml`, or the
            path of a TOML file; the table named like the batch system if None.
        jobs: number of worker jobs; that of the profile if None.
        part: the part of the store's blocks to run, such as "3/16"; all if None. Parts may run at
            the same time, each in a process of its own.
        adaptive: place trials along `fit.along` by their own outcomes, between the ends of that
            axis, until the 50 % point of each group is known.
        precision: half-width of the 95 % interval over the 50 % point at which a group ends, such
            as 0.05; that of the sweep if None.
        budget: seconds after which the run stops with what there is; None for no limit.
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
    from .executors.opening import use_client
    from .run.shown import run_shown
    from .show.notebook import shown_progress

    asked = Workers(
        scheduler_name(scheduler), _workers(workers),
        text_or_none("cluster", cluster, "the name of a batch system"), profile_name(profile),
        None if jobs is None else number_in("jobs", jobs, 1, MOST_WORKERS),
    )  # fmt: skip
    retries = number_in("retries", retries, 0, MOST_RETRIES)
    fail_fast, allow_mixed = truth("fail_fast", fail_fast), truth("allow_mixed", allow_mixed)
    if trial_timeout is not None:
        trial_timeout = seconds_in("trial_timeout", trial_timeout, MOST_TRIAL_TIMEOUT, zero=False)
    grace = seconds_in("grace", grace, MOST_GRACE)
    if budget is not None:
        budget = seconds_in("budget", budget, MOST_BUDGET, zero=False)
    progress = truth("progress", progress)
    if client is not None and asked != Workers():
        raise SchedulerError(
            "client: it has its own scheduler and workers; leave out scheduler, workers, cluster, "
            "profile and jobs."
        )
    part = text_or_none("part", part, "a text such as '3/16'")
    asked.check()
    chosen = adapted(sweep_of(sweep), truth("adaptive", adaptive), _precision(precision))
    path = store_path(store)
    with shown_progress(progress) as shown:
        shown.phase(asked.phase if client is None else "connecting to workers")

        def opened(check: "Callable[[], RunRequest]") -> "AbstractContextManager[Executor]":
            if client is not None:
                return use_client(client, shown.tell, check)
            return open_workers(asked, path, shown.tell, check)

        summary = run_shown(
            chosen, path, opened, shown, part,
            retries=retries, fail_fast=fail_fast, allow_mixed=allow_mixed,
            trial_timeout=trial_timeout, grace=grace, budget=budget,
        )  # fmt: skip
    if summary.interrupted:
        raise KeyboardInterrupt(f"{summary.done} of {summary.total} trials are done and kept")
    return summary


def status(store: AnyPath) -> "StoreStatus":
    """Count a store's trials, successes and crashes, and list its analyses and damages.

    Raises:
        UserError: there is no store, or it cannot be read; if a job was submitted that should make
            it, the message says what became of the job.
    """
    spare_dask()
    from .status import store_status

    return store_status(store_path(store))


def open(store: AnyPath) -> "xr.Dataset":
    """Open the results of a store lazily, like `xarray.open_zarr`, if nothing of them is lost.

    Returns:
        A dataset whose dimensions are the swept axes and `trial`; NaN means *not run*. If trials
        are placed, its dimensions are the groups and `probe`, and
        `genprior.tasks.statistics.over_values` puts them on a grid.

    Raises:
        UserError: there is no store, it cannot be read, or a part of it is missing or damaged.
    """
    spare_dask()
    from ..store import open_complete

    return open_complete(store_path(store), chunks={})


@signals_outside_imports(SIGNALS)
def fit(
    store: AnyPath,
    *,
    along: str | None = None,
    below: float | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
) -> "Fits":
    """Make the analyses that a store's sweep asks for, and write them into the store.

    Args:
        store: path of the store.
        along: axis of the transition; the sweep's `fit.along` if None.
        below: judge success again: a trial succeeds if its error is below this number.
        scheduler: where many groups are fitted, as for `run`.
        workers: number of processes or threads. If neither is given, few groups are fitted in this
            process, and many in one process for each processor.

    Returns:
        A labelled dataset for each analysis, by its name: `fits["transition"].p50`.

    Raises:
        SweepError: the sweep asks for no analysis, or only for analyses that cannot be made.
        StoreError: the store cannot be read or written.
    """
    spare_dask()
    from .fit.fitting import fit_store
    from .fit.group_calls import group_calls

    asked = Workers(scheduler_name(scheduler), _workers(workers))
    asked.check()
    path, axis = store_path(store), text_or_none("along", along, "the name of an axis")
    error = None if below is None else positive("below", below, MOST_ERROR)
    with group_calls(asked, path, lambda text: None) as calls:
        return fit_store(path, axis, calls, error)


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


def verify(
    store: AnyPath, *, trials: int = 20, seed: int | None = None, repair: bool = False
) -> "StoreCheck":
    """Check the metadata, checksums, values and files of a store, and repair it on request.

    Some done trials are run again in this process: their results must be the same to the bit,
    unless a difference of the environment explains another one. Missing trials are no damage.

    Args:
        store: path of the store.
        trials: number of done trials, drawn at random, that are run again.
        seed: seed of that draw; a new one if None.
        repair: mark what is damaged as pending, so that `run` computes it, write lost metadata
            again, and remove what killed commands left.

    Returns:
        What was found; its `outcome` is `intact`, `repaired` or `damaged`.

    Raises:
        UserError: there is no store, or it cannot be read; with `repair`, it is being written, or
            something can be neither computed nor written again.
    """
    spare_dask()
    from .upkeep.verify import verify_store

    return verify_store(
        store_path(store),
        trials=number_in("trials", trials, 0, MOST_RERUN),
        seed=None if seed is None else number_in("seed", seed, 0, MOST_SEED),
        repair=truth("repair", repair),
    )


def merge(
    stores: Iterable[AnyPath],
    out: AnyPath,
    *,
    layout: "StoreLayout | None" = None,
    allow_mixed: bool = False,
) -> "MergeSummary":
    """Make a new store with the trials of several stores of one experiment.

    Args:
        stores: paths of the stores, at least two, or one if a layout is given; their grids may
            differ.
        out: path of the new store, which must not exist.
        layout: whether the trials of the new store are `placed` or lie on a `grid` of values; that
            of the stores if None.
        allow_mixed: mix results of other machines, libraries or kernels; the store records it.

    Raises:
        UserError: the stores are of different experiments or hold different results of a trial, a
            store is being written or damaged, or the new store cannot be made.
    """
    spare_dask()
    from .upkeep.merge import LAYOUTS, merge_paths

    if isinstance(stores, str | os.PathLike) or not isinstance(stores, Iterable):
        raise UserError("stores: give a list of the paths of the stores.")
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"layout: {layout!r} is neither 'placed' nor 'grid'.")
    paths = [store_path(path) for path in stores]
    mixed = truth("allow_mixed", allow_mixed)
    return merge_paths(paths, store_path(out), layout=layout, allow_mixed=mixed)


def _precision(given: Any) -> float | None:
    return None if given is None else positive("precision", given, 1)


def _workers(given: Any) -> int | None:
    return None if given is None else number_in("workers", given, 1, MOST_WORKERS)
