"""`genprior submit`: a sweep as one batch job, a chain of jobs, or an array of parts."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..limits import MOST_JOBS, MOST_WORKERS
from .group import main
from .options import (
    PROFILE_KEYS,
    STORE,
    adaptive_options,
    allow_mixed_option,
    chosen_sweep,
    json_option,
    retries_option,
    sweep_options,
    trial_timeout_option,
)
from .output import open_console, print_json

if TYPE_CHECKING:
    from ..batch.slurm_job import SlurmJob


@main.command(short_help="Run a sweep as a batch job.")
@sweep_options
@click.argument("store", type=STORE)
@click.option(
    "--cluster", metavar="slurm", help="The batch system  [default: that of the profile]."
)
@click.option(
    "--profile",
    metavar="NAME|FILE",
    help=f"What a job asks for: a table of ~/.config/genprior/clusters.toml, or a TOML file, with "
    f"{PROFILE_KEYS}  [default: the table named like the batch system; else one core and one "
    "hour].",
)
@click.option(
    "--tasks",
    type=click.IntRange(1, MOST_WORKERS),
    help="Trials that the job runs at a time, one on each core; with --array, those of each "
    "element  [default: jobs × cores of the profile, or its cores].",
)
@click.option("--nodes", type=click.IntRange(1, MOST_WORKERS), help="Nodes of the job.")
@click.option("--walltime", metavar="[D-]HH:MM[:SS]", help="Time that a job may run.")
@click.option(
    "--chain",
    type=click.IntRange(1, MOST_JOBS),
    default=1,
    show_default=True,
    help="Jobs that follow each other until the store is complete.",
)
@click.option(
    "--array",
    type=click.IntRange(1, MOST_JOBS),
    help="Submit an array: each element runs a part of the sweep in a job of its own.",
)
@adaptive_options
@retries_option
@allow_mixed_option
@trial_timeout_option
@click.option("--dry-run", is_flag=True, help="Print the job script, and submit nothing.")
@json_option
def submit(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    store: Path,
    cluster: str | None,
    profile: str | None,
    tasks: int | None,
    nodes: int | None,
    walltime: str | None,
    chain: int,
    array: int | None,
    adaptive: bool,
    precision: float | None,
    retries: int,
    allow_mixed: bool,
    trial_timeout: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the trials of SWEEP that STORE does not hold yet in one job of Slurm.

    The job holds everything: nothing is left on the login node, and the command returns at
    once. `genprior status STORE` follows it from any shell. Nothing is submitted if STORE is
    complete, and a STORE that is being written, or has jobs in the queue, is refused. The
    script and the log of the job are in the folder STORE.jobs, or where the profile says.

    \b
    Example:
      genprior submit cocola-fig1 fig1.zarr --cluster slurm --tasks 64 --walltime 4:00:00
      genprior submit cocola-fig1 fig1.zarr --cluster slurm --tasks 64 --chain 5
      genprior submit cocola-fig1 fig1.zarr --cluster slurm --array 16
    """
    from ..batch.slurm_job import check_slurm
    from ..batch.slurm_job import submit as submit_job
    from ..batch.submission import Submission, slurm_job
    from ..batch.submitted import check_unwritten, leave_record
    from ..run.complete import complete_summary
    from ..run.request import check_request
    from ..show import tables

    wanted = Submission(tasks=tasks, nodes=nodes, walltime=walltime, chain=chain, array=array or 0)
    options = _passed_on(
        settings,
        {"allow-mixed": allow_mixed, "adaptive": adaptive},
        {
            "trials": trials,
            "seed": seed,
            "retries": retries or None,
            "trial-timeout": trial_timeout,
            "precision": precision,
        },
    )
    chosen = chosen_sweep(sweep, settings, trials, seed, adaptive, precision)
    request = check_request(chosen, store.absolute())
    job = slurm_job(request, sweep, wanted, options, cluster, profile)
    if dry_run:
        print_json(_described(job, [])) if as_json else click.echo(job.script(), nl=False)
        return
    if complete := complete_summary(request):
        done = f"{store}: complete ({complete.total:,} trials), nothing to submit."
        print_json(_described(job, [])) if as_json else click.echo(done)
        return
    check_slurm(job)
    check_unwritten(store)
    ids = submit_job(job, lambda ids: leave_record(store, job, ids))
    if as_json:
        print_json(_described(job, ids))
    else:
        rows = {
            "jobs" if len(ids) > 1 else "job": ", ".join(ids),
            "name": job.name,
            "log": str(job.log(ids[0])),
            "follow it": shlex.join(["genprior", "status", str(store)]),
            "cancel it": f"scancel --name={job.name}",
        }
        open_console().print_table(tables.pairs(rows))


def _passed_on(
    settings: tuple[str, ...], flags: dict[str, bool], numbers: dict[str, float | None]
) -> tuple[str, ...]:
    """Write the options of this command that `run` gets."""
    return (
        *(f"--set={setting}" for setting in settings),
        *(f"--{name}={value}" for name, value in numbers.items() if value is not None),
        *(f"--{name}" for name, given in flags.items() if given),
    )


def _described(job: "SlurmJob", ids: list[str]) -> dict[str, object]:
    """Describe a job for programs."""
    return {
        "jobs": ids,
        "name": job.name,
        "script": job.script(),
        "file": str(job.path),
        "logs": [str(job.log(one)) for one in ids],
        "tasks": job.tasks,
        "walltime_seconds": job.seconds,
    }
