"""The command line: each command parses, makes one call, and prints."""

import io
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import INCOMPLETE, FriendlyGroup, unheard
from .interrupts import terminable
from .options import PICTURE, STORE, chosen_sweep, cluster_options, json_option, sweep_options
from .schedulers import LOCAL, MOST_RETRIES, MOST_WORKERS

if TYPE_CHECKING:
    from .consoles import Output

# Each command imports what it needs when it runs, so that --help and small commands are quick.


class Commands(FriendlyGroup):
    """The commands; benchmarks are imported when one is asked for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for."""
        if args and args[0] == "bench":
            from .bench import bench

            self.add_command(bench)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="genprior", prog_name="genprior")
@click.option("--debug", is_flag=True, help="Show where an error was raised.")
def main(debug: bool) -> None:
    """Measure where recovery with ReLU generative priors succeeds.

    A sweep file says what to run; its results go into a labelled Zarr store that
    xarray.open_zarr opens; phase transitions are fitted and drawn from there.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior fit quickstart.zarr
      genprior plot quickstart.zarr -o quickstart.png

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 incomplete.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show ‖ or × shows a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print(values: Any) -> None:
    click.echo(json.dumps(values, indent=2))


def _spare_dask() -> None:
    """Let a command that only reads do without Dask, whose configuration may be malformed."""
    from .cluster_errors import spare_dask

    spare_dask()


def _console(*, stderr: bool = False) -> "Output":
    from .consoles import Output

    return Output(stderr=stderr)


@main.command()
@click.argument("name", required=False)
@json_option
def sweeps(name: str | None, as_json: bool) -> None:
    """List the named sweeps, or print the file of one.

    \b
    Example:
      genprior sweeps
      genprior sweeps quickstart > mine.toml
    """
    from ..sweeps import load_sweep, preset_names, preset_text
    from . import tables

    if name is not None and not as_json:
        click.echo(preset_text(name), nl=False)
        return
    presets = [load_sweep(each) for each in ([name] if name else preset_names())]
    if as_json:
        _print([preset.as_dict() for preset in presets])
    else:
        _console().print_table(tables.presets(presets))


@main.command(short_help="Show what a sweep would run and cost.")
@sweep_options
@click.option("--workers", type=click.IntRange(1, MOST_WORKERS), help="Workers the run will have.")
@json_option
def plan(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Show what SWEEP would run and cost; a pilot of some 4 s times a few trials.

    \b
    Example:
      genprior plan cocola-fig1 --set k=5:60:5 --trials 10
    """
    from . import tables
    from .plan import plan_sweep

    planned = plan_sweep(chosen_sweep(sweep, settings, trials, seed), workers)
    if as_json:
        _print(asdict(planned))
    else:
        _console().print_table(tables.pairs(planned.rows()))


@main.command(short_help="Run the trials a store does not hold yet.")
@sweep_options
@click.argument("store", type=STORE)
@cluster_options
@click.option(
    "--retries",
    type=click.IntRange(0, MOST_RETRIES),
    default=0,
    show_default=True,
    help="Try a crashed trial again so often within this run.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first crashed trial.")
@click.option("--allow-mixed", is_flag=True, help="Mix other machines, libraries or kernels.")
@json_option
def run(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    store: Path,
    scheduler: str,
    workers: int | None,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    as_json: bool,
) -> None:
    """Run the trials of SWEEP that STORE does not hold yet.

    STORE is made if it is not there; a larger grid or more trials extend it. Repeating
    the command computes no finished trial again; crashed trials are run again.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior run quickstart quickstart.zarr --trials 40
      genprior run quickstart quickstart.zarr --trials 40 --set k=4:20:2
    """
    with terminable():
        # From here on SIGTERM ends it as Ctrl-C does; imports take a second.
        from .calls import run_shown
        from .executors import open_executor
        from .progress import progress

        chosen = chosen_sweep(sweep, settings, trials, seed)
        with progress(_console(stderr=True)) as shown:
            shown.phase("starting workers" if scheduler in LOCAL else f"connecting to {scheduler}")

            summary = run_shown(
                chosen,
                store,
                lambda check: open_executor(scheduler, workers, shown.tell, check),
                shown,
                retries=retries,
                fail_fast=fail_fast,
                allow_mixed=allow_mixed,
            )
        from . import tables
        from .run import as_json as summary_as_json
    with unheard() if summary.interrupted else nullcontext():
        if as_json:
            _print(summary_as_json(summary))
        else:
            _console().print(tables.run_summary(summary), highlight=False, soft_wrap=True)
    raise SystemExit(summary.exit_status)


@main.command(short_help="Show what a store holds.")
@click.argument("store", type=STORE)
@json_option
def status(store: Path, as_json: bool) -> None:
    """Show what STORE holds; exit status 3 if trials are missing, 1 if it is damaged.

    \b
    Example:
      genprior status quickstart.zarr
    """
    _spare_dask()
    from ..store import StoreError
    from . import tables
    from .status import store_status

    found = store_status(store)
    if as_json:
        _print(asdict(found))
    else:
        _console().print_table(tables.pairs(found.rows()))
    if found.damaged:
        raise StoreError(tables.damage(found))
    if found.trials.done < found.trials.total:
        raise SystemExit(INCOMPLETE)


@main.command(short_help="Fit what the sweep names: transitions, a law, a comparison.")
@click.argument("store", type=STORE)
@click.option("--along", help="Axis of the transition  [default: the sweep's fit.along].")
@json_option
def fit(store: Path, along: str | None, as_json: bool) -> None:
    """Fit what the sweep of STORE names, for every group of its other axes.

    With fit.along, the 50 % point of success, its interval and the width. With [law],
    the exponents of the errors of recovered trials, next to those that are claimed.
    With [compare], success at every value of an axis against one of them, and the
    shift of the 50 % point. With [basins], where the runs end. Of trajectories, where
    their descents ended. Where trials hold several targets, the worst and the
    mean over them; the worst counts in all fits. They are written into the store, as
    analysis/transition, /law, /comparison, /basin, /trajectory and /uniform.

    \b
    Example:
      genprior fit quickstart.zarr --along m
    """
    _spare_dask()
    from .analysis import fit_store

    fitted, console = fit_store(store, along), _console()
    if as_json:
        _print(fitted.records())
        return
    for table in fitted.tables():
        console.print_table(table)
    if fitted.expected:
        source = f" ({fitted.source})" if fitted.source else ""
        console.print(f"\nexpected{source}: {fitted.expected}", highlight=False)
    for refusal in fitted.left_out.values():
        console.print(f"left out: {refusal}", highlight=False, soft_wrap=True)


@main.command(short_help="Draw a store's results.")
@click.argument("store", type=STORE)
@click.option(
    "-o", "--output", type=PICTURE, help="Picture to write  [default: STORE's name .png]."
)
@click.option("--size", metavar="WIDTHxHEIGHT", help="Size in inches  [default: as needed].")
@click.option("--no-title", is_flag=True, help="Leave the sweep's title out.")
@click.option("--log", is_flag=True, help="Make the axis below logarithmic.")
@click.option(
    "--trajectories", metavar="OTHER", type=STORE, help="Store of descents on a landscape's planes."
)
def plot(
    store: Path,
    output: Path | None,
    size: str | None,
    no_title: bool,
    log: bool,
    trajectories: Path | None,
) -> None:
    """Draw STORE: curves over one axis, a map with the 50 % contour over two.

    With [law], the errors of recovered trials, the fitted law and the claimed slope; with
    [compare] and without fit.along, success rates side by side; with [basins], where the
    runs end; of trajectories, the descents on their plane; of a landscape, contours of
    the loss, and over them the descents of another store with --trajectories. Matplotlib's
    settings of yours (matplotlibrc, MPLBACKEND) change nothing.

    \b
    Example:
      genprior plot quickstart.zarr -o quickstart.png
      genprior plot quickstart.zarr -o paper.pdf --size 3.5x3 --no-title
      genprior plot landscape.zarr --trajectories trajectories.zarr
    """
    _spare_dask()
    from .plain_matplotlib import plain_matplotlib

    with plain_matplotlib():
        from .canvas import Look
        from .figures import default_picture, draw_store, read_size

        look = Look(read_size(size), not no_title, log)
        written = draw_store(store, output or default_picture(store), look, trajectories)
    _console().print(f"wrote {written}", highlight=False, soft_wrap=True)


@main.group(short_help="Measure the kernel and the pipeline on this machine.")
def bench() -> None:
    """Stand for the benchmarks until one is asked for."""
