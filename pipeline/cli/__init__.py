"""The command line: each command parses, makes one call, and prints."""

import io
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..executors.schedulers import LOCAL, MOST_RETRIES, MOST_WORKERS
from ..run.interrupts import terminable
from .errors import INCOMPLETE, FriendlyGroup, unheard
from .options import PICTURE, STORE, chosen_sweep, cluster_options, json_option, sweep_options

if TYPE_CHECKING:
    from .consoles import Output

# Each command imports what it needs when it runs, so that --help and small commands start fast.


class Commands(FriendlyGroup):
    """The commands; benchmarks are imported only for `genprior bench`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        if args and args[0] == "bench":
            from .bench import bench

            self.add_command(bench)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="genprior", prog_name="genprior")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Measure where recovery with ReLU generative priors succeeds.

    A sweep file says what to run. The results are written into a labelled Zarr store,
    which xarray.open_zarr opens. Fits and pictures are made from the store.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior fit quickstart.zarr
      genprior plot quickstart.zarr -o quickstart.png

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 incomplete.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show ‖ or × shows a question mark instead.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print(values: Any) -> None:
    click.echo(json.dumps(values, indent=2))


def _spare_dask() -> None:
    """Let a command that only reads run even if Dask's configuration cannot be read."""
    from ..executors.errors import spare_dask

    spare_dask()


def _console(*, stderr: bool = False) -> "Output":
    from .consoles import Output

    return Output(stderr=stderr)


@main.command()
@click.argument("name", required=False)
@json_option
def sweeps(name: str | None, as_json: bool) -> None:
    """List the presets, or print the sweep file of one.

    \b
    Example:
      genprior sweeps
      genprior sweeps quickstart > mine.toml
    """
    from ...sweeps import load_sweep, preset_names, preset_text
    from ..show import tables

    if name is not None and not as_json:
        click.echo(preset_text(name), nl=False)
        return
    presets = [load_sweep(preset) for preset in ([name] if name else preset_names())]
    if as_json:
        _print([preset.as_dict() for preset in presets])
    else:
        _console().print_table(tables.presets(presets))


@main.command(short_help="Show the size and the cost of a sweep.")
@sweep_options
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), help="Number of workers to plan for."
)
@json_option
def plan(
    sweep: str,
    settings: tuple[str, ...],
    trials: int | None,
    seed: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Show the points, trials and cost of SWEEP. A pilot of about 4 s times a few trials.

    \b
    Example:
      genprior plan cocola-fig1 --set k=5:60:5 --trials 10
    """
    from ..run.plan import plan_sweep
    from ..show import tables

    planned = plan_sweep(chosen_sweep(sweep, settings, trials, seed), workers)
    if as_json:
        _print(asdict(planned))
    else:
        _console().print_table(tables.pairs(planned.rows()))


@main.command(short_help="Run the trials that a store does not hold yet.")
@sweep_options
@click.argument("store", type=STORE)
@cluster_options
@click.option(
    "--retries",
    type=click.IntRange(0, MOST_RETRIES),
    default=0,
    show_default=True,
    help="How often a crashed trial is tried again within this run.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first crashed trial.")
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Mix results of other machines, libraries or kernels; the store records it.",
)
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

    STORE is made if it does not exist; a larger grid or more trials extend it. If the
    command is repeated, finished trials are not computed again, and crashed trials are.

    \b
    Example:
      genprior run quickstart quickstart.zarr
      genprior run quickstart quickstart.zarr --trials 40
      genprior run quickstart quickstart.zarr --trials 40 --set k=4:20:2
    """
    with terminable():
        # Imported here: they take a second, in which SIGTERM must already act like Ctrl-C.
        from ..calls import run_shown
        from ..executors.opening import open_executor
        from ..show.progress import progress

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
        from ..run.runner import as_json as summary_as_json
        from ..show import tables
    with unheard() if summary.interrupted else nullcontext():
        if as_json:
            _print(summary_as_json(summary))
        else:
            _console().print(tables.run_summary(summary), highlight=False, soft_wrap=True)
    raise SystemExit(summary.exit_status)


@main.command(short_help="Show the content of a store.")
@click.argument("store", type=STORE)
@json_option
def status(store: Path, as_json: bool) -> None:
    """Show trials, fits and damages of STORE.

    Exit status: 3 if trials are missing, 1 if STORE is damaged.

    \b
    Example:
      genprior status quickstart.zarr
    """
    _spare_dask()
    from ...store import StoreError
    from ..show import tables
    from ..status import store_status

    counted = store_status(store)
    if as_json:
        _print(asdict(counted))
    else:
        _console().print_table(tables.pairs(counted.rows()))
    if counted.damaged:
        raise StoreError(tables.damage(counted))
    if counted.trials.done < counted.trials.total:
        raise SystemExit(INCOMPLETE)


@main.command(short_help="Make the analyses that the sweep asks for.")
@click.argument("store", type=STORE)
@click.option("--along", help="Axis of the transition  [default: the sweep's fit.along].")
@json_option
def fit(store: Path, along: str | None, as_json: bool) -> None:
    """Make the analyses that the sweep of STORE asks for, and write them into STORE.

    \b
    fit.along  the 50 % point of success with its interval, and the width
    [law]      exponents of recovered trials' errors, next to the claimed ones
    [compare]  success at each value of an axis against a reference, and the
               shift of the 50 % point
    [basins]   where the runs end

    Each is made for every group of the other axes. For trajectories, it is counted
    where the descents end. For trials with several targets, the worst and the mean over
    the targets are given; in all other analyses the worst target counts. The groups in
    STORE are analysis/transition, /law, /comparison, /basin, /trajectory and /uniform.

    \b
    Example:
      genprior fit quickstart.zarr --along m
    """
    _spare_dask()
    from ..fit.fitting import fit_store

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
@click.option("--log", is_flag=True, help="Make the horizontal axis logarithmic.")
@click.option(
    "--trajectories", metavar="OTHER", type=STORE, help="Store of descents, drawn over a landscape."
)
def plot(
    store: Path,
    output: Path | None,
    size: str | None,
    no_title: bool,
    log: bool,
    trajectories: Path | None,
) -> None:
    """Draw STORE: curves over one axis, or a map with the 50 % contour over two.

    \b
    [law]       errors of recovered trials, the fitted law and the claimed slope
    [compare]   without fit.along: success rates next to each other
    [basins]    where the runs end
    landscapes  contours of the loss; with --trajectories, descents
    descents    paths on their plane

    Your settings of Matplotlib (matplotlibrc, MPLBACKEND) are not used.

    \b
    Example:
      genprior plot quickstart.zarr -o quickstart.png
      genprior plot quickstart.zarr -o paper.pdf --size 3.5x3 --no-title
      genprior plot landscape.zarr --trajectories trajectories.zarr
    """
    _spare_dask()
    from ..show.plain_matplotlib import plain_matplotlib

    with plain_matplotlib():
        from ..show.canvas import Look
        from ..show.figures import default_picture, draw_store, read_size

        look = Look(read_size(size), not no_title, log)
        written = draw_store(store, output or default_picture(store), look, trajectories)
    _console().print(f"wrote {written}", highlight=False, soft_wrap=True)


@main.group(short_help="Measure the kernel and the pipeline on this machine.")
def bench() -> None:
    """Represent the benchmarks in `--help`; they are imported when one is run."""
