"""Option groups and argument types that several commands share."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from ..executors.schedulers import LOCAL, SRUN, SYSTEMS
from ..limits import MOST_BUDGET, MOST_RETRIES, MOST_TRIAL_TIMEOUT, MOST_WORKERS

if TYPE_CHECKING:
    from ...sweeps import Sweep

Command = TypeVar("Command", bound=Callable[..., Any])


class LocalPath(click.Path):
    """The path of a local file or folder; `~` is the home folder, and a URL is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert the text of an argument to a path."""
        from ...sweeps import local_path

        return value if isinstance(value, Path) else local_path(value)


class Number(click.FloatRange):
    """A number in a range; click takes "nan" for a number in every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an argument to a number."""
        number = float(super().convert(value, param, ctx))
        if number != number:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Share(click.FloatRange):
    """A share above 0 and up to 1, as in `5%` or `0.05`."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an argument to a number."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{value!r} is not a share; write it as in 5% or 0.05.", param, ctx)
        if not 0 < share <= 1:
            self.fail(f"{value!r} is not above 0 and at most 100%.", param, ctx)
        return share


class Duration(click.FloatRange):
    """A duration, as in `10min`, `1.5h` or `90s`; a number alone counts seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an argument to seconds."""
        from dask.utils import parse_timedelta

        # Dask knows m, minute and minutes.
        text = re.sub(r"(?<=[\d.\s])mins?$", "m", str(value).strip())
        try:
            seconds = float(parse_timedelta(text))
        except (ValueError, LookupError, TypeError, OverflowError):
            self.fail(f"{value!r} is not a duration; write it as in 10min or 1.5h.", param, ctx)
        if not 0 < seconds <= MOST_BUDGET:
            self.fail(f"{value!r} is not above 0 and at most a year.", param, ctx)
        return seconds


PROFILE_KEYS = (
    "keys such as queue, account, memory, walltime, cores and jobs (docs/clusters.md lists them)"
)
STORE = PICTURE = LocalPath()

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

retries_option = click.option(
    "--retries",
    type=click.IntRange(0, MOST_RETRIES),
    default=0,
    show_default=True,
    help="How often a crashed trial is tried again within this run.",
)
allow_mixed_option = click.option(
    "--allow-mixed",
    is_flag=True,
    help="Mix results of other machines, libraries or kernels; the store records it.",
)
trial_timeout_option = click.option(
    "--trial-timeout",
    type=Number(0, MOST_TRIAL_TIMEOUT, min_open=True),
    metavar="SECONDS",
    help="Stop a trial that takes longer, and record it as crashed  [default: no limit].",
)


def adaptive_options(command: Command) -> Command:
    """Add the options `--adaptive` and `--precision` to a command."""
    for decorate in (
        click.option(
            "--precision",
            type=Share(),
            metavar="SHARE",
            help="Half-width of the 95 % interval over the 50 % point at which a group of an "
            "adaptive sweep ends, as in 5%  [default: that of the sweep, else 5%].",
        ),
        click.option(
            "--adaptive",
            is_flag=True,
            help="Place trials along fit.along by their own outcomes, between the ends of that "
            "axis, until the 50 % point of each group is known.",
        ),
    ):
        command = decorate(command)
    return command


def sweep_options(command: Command) -> Command:
    """Add the argument SWEEP and the options `--set`, `--trials` and `--seed` to a command."""
    for decorate in (
        click.option("--seed", type=int, help="Root seed of all random draws."),
        click.option("--trials", type=int, help="Trials at every point."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set any key of the sweep file. The option can be repeated; the last one counts. "
            "k=5,10,20 and k=5:60:5 (stop included) make an axis, solver.step=0.5 sets a "
            "parameter, title=TEXT and exclude='k > m' set a key. A value that starts with a quote "
            "or a bracket is read as TOML.",
        ),
        click.argument("sweep", metavar="SWEEP"),
    ):
        command = decorate(command)
    return command


def chosen_sweep(
    named: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    adaptive: bool = False,
    precision: float | None = None,
) -> "Sweep":
    """Load the sweep that a command's argument names, with the changes of its options."""
    from ...sweeps import SweepError, load_sweep
    from ...sweeps.placing import adapted
    from .. import analyses  # noqa: F401 - registers the analyses' tables in sweep files

    extra = [f"{key}={value}" for key, value in (("trials", trials), ("seed", seed))
             if value is not None]  # fmt: skip
    sweep = load_sweep(named)
    overrides = (*settings, *extra)
    chosen = adapted(sweep.override(overrides) if overrides else sweep, adaptive, precision)
    if trials is not None and chosen.adaptive is not None:
        raise SweepError(
            "--trials: trials place themselves until --precision is reached; adaptive.most limits "
            "their number in a group."
        )
    return chosen


def worker_options(command: Command) -> Command:
    """Add the options that name workers; the command gets them as `asked`."""
    return _as_workers(command, in_jobs=False)


def cluster_options(command: Command) -> Command:
    """Add the options that name workers or start worker jobs; the command gets them as `asked`."""
    return _as_workers(command, in_jobs=True)


def _as_workers(command: Command, *, in_jobs: bool) -> Command:
    from ..workers import Workers

    options = (*(_JOBS if in_jobs else ()), *_TLS, *_SCHEDULER)

    @wraps(command)
    def grouped(**given: Any) -> Any:
        asked = Workers(**{name: given.pop(name) for name in Workers._fields if name in given})
        return command(asked=asked, **given)

    wrapped: Any = grouped
    for decorate in options:
        wrapped = decorate(wrapped)
    return cast("Command", wrapped)


# Later options stand first in the help.
_SCHEDULER = (
    click.option(
        "--workers",
        type=click.IntRange(1, MOST_WORKERS),
        help="Local worker processes or threads  [default: number of processors].",
    ),
    click.option(
        "--scheduler",
        metavar="|".join((*LOCAL, SRUN, "ADDRESS", "FILE")),
        help="Where blocks run: locally, in the tasks of this Slurm job, or on a running Dask "
        "scheduler, given by its address or by its scheduler file  [default: processes].",
    ),
)
_TLS = (
    click.option("--tls-key", metavar="FILE", help="Its private key, if in another file."),
    click.option("--tls-cert", metavar="FILE", help="The own certificate, in PEM format."),
    click.option(
        "--tls-ca",
        metavar="FILE",
        help="Certificates of those who are trusted, for a scheduler tls://… or --cluster  "
        "[default: those of Dask's configuration; for --cluster made for each run].",
    ),
)
_JOBS = (
    click.option(
        "--dry-run", is_flag=True, help="Show the script of a worker job, and run nothing."
    ),
    click.option(
        "--insecure", is_flag=True, help="With --cluster: no encryption, and no certificates."
    ),
    click.option("--jobs", type=click.IntRange(1, MOST_WORKERS), help="Number of worker jobs."),
    click.option(
        "--profile",
        metavar="NAME|FILE",
        help="What a worker job asks for: a table of ~/.config/genprior/clusters.toml, or a "
        f"TOML file, with {PROFILE_KEYS}  [default: the table named like the batch system; "
        "without it one core and one hour].",
    ),
    click.option(
        "--cluster",
        metavar="|".join(SYSTEMS),
        help="Run blocks in worker jobs of this batch system.",
    ),
)
