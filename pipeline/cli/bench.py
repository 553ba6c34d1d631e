"""`genprior bench`: ratios of times that are measured in turn in one process."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import click
import numpy as np
from rich.progress import track
from rich.table import Table

from ...sweeps import Grid, load_sweep
from ...tasks.instance import Instance, draw_instance
from ...tasks.numerics.machine import limit_blas_threads, machine_kind
from ...tasks.point import Point
from ..limits import MOST_SEED
from .bench_engines import compare_others, compare_preset, other_points, preset_points, summary_rows
from .bench_pipeline import pipeline_measures
from .consoles import Output
from .options import json_option

ROUNDS = 25
STEPS_A_ROUND = 40
STEP_POINTS = ((2, 20), (2, 60), (2, 120), (3, 20), (3, 60))

Item = TypeVar("Item")

console = Output()
log = Output(stderr=True)


@click.group()
def bench() -> None:
    """Measure the kernel and the pipeline on this machine.

    \b
    Example:
      genprior bench kernel --json
    """


def _followed(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Show the progress of a benchmark: a bar on a terminal, elsewhere one line for each item."""
    if log.is_terminal:
        yield from track(items, what, total, console=log, transient=True)
        return
    for count, item in enumerate(items, start=1):
        log.print(f"{what}: {count}/{total}", highlight=False)
        yield item


def _report(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"benchmark": title, "machine": machine_kind(), "rows": rows}))
        return
    table = Table(title=title, box=None, title_justify="left", header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console.print_table(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@bench.command()
@click.option(
    "--minutes",
    type=click.FloatRange(0.05, 600),
    default=2.0,
    show_default=True,
    help="About how long the run takes whose overhead is measured.",
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--trials",
    type=click.IntRange(10_000),
    default=1_000_000,
    show_default=True,
    help="Trials of the large sweep that does nothing.",
)
@json_option
def pipeline(minutes: float, workers: int, trials: int, as_json: bool) -> None:
    """Measure what the pipeline adds to the trials; the machine should be idle.

    "overhead" is (wall time × workers) / (sum of the trials' own times) of a run of cocola-fig1's
    trials, without the start of the workers. "scaling" is how many times faster that run is with
    all workers than with one, in turn. "first result" is the time from the command to the first
    block in the store. "per trial" and "per block" come from runs of trials that do nothing.
    "files" counts those of a store beyond an empty one's. "scale" runs the large sweep, and many
    blocks of one trial, on a scheduler in a process of its own; it shows the processor time and the
    highest memory of each process.

    \b
    Example:
      genprior bench pipeline --minutes 0.5 --trials 100000
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    measures = pipeline_measures(minutes * 60, workers, trials)
    for name, measure in _followed(measures.items(), len(measures), "measures"):
        rows[name] = measure()
    if as_json:
        click.echo(json.dumps({"benchmark": "pipeline", "machine": machine_kind(), **rows}))
        return
    for name, found in rows.items():
        _report(name, found, as_json)


@bench.command()
@click.option(
    "--runs",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="Simulated transitions for each truth.",
)
@click.option("--seed", type=click.IntRange(0, MOST_SEED), default=1, show_default=True)
@json_option
def statistics(runs: int, seed: int, as_json: bool) -> None:
    """Simulate transitions whose truth is known, and count how often intervals cover it.

    Every truth has 20 positions, one unit apart, and its 50 % point is anywhere within half a unit
    of their middle. "scale" is the 10–90 % width over 4.394, in units of the position, or of its
    logarithm on a "log" axis; "rho" is the correlation of the successes of one position, and
    "shared" says that each draw is run at all positions. "covered" is the share of 95 % intervals
    of the 50 % point that hold the truth, with its Wilson interval; "covered_alone" is that share
    where a logistic curve on a linear axis is fitted alone. "rejected" is the share of fits whose
    χ² test is below .01.

    The second table is about the exponents of a scaling law, from a star of eight groups of 192
    trials, whose 50 % points scatter about the law by "tau". "by depth" are ceilings of 1, 0.97,
    0.9 and 0.8 for 1 to 4 layers; "partly_seen" is the number of groups whose values end near their
    50 % point.

    \b
    Example:
      genprior bench statistics --runs 1000 --json
    """
    from .bench_statistics import coverage_rows, law_rows, laws, truths

    rows = list(_followed(coverage_rows(runs, seed), len(truths()), "truths"))
    parts = list(_followed(law_rows(runs, seed), laws(), "laws"))
    exponents = [row for part in parts for row in part]
    if as_json:
        found = {"transitions": rows, "laws": exponents}
        click.echo(json.dumps({"benchmark": "statistics", "machine": machine_kind(), **found}))
        return
    _report("coverage of 95 % intervals of the 50 % point", rows, as_json)
    _report("coverage of 95 % intervals of a scaling law", exponents, as_json)


@bench.command()
@click.option(
    "--runs",
    type=click.IntRange(2, 100_000),
    default=100,
    show_default=True,
    help="Simulated groups for each truth.",
)
@click.option("--seed", type=click.IntRange(0, MOST_SEED), default=1, show_default=True)
@click.option(
    "--recovery",
    is_flag=True,
    help="Run real recoveries in both ways instead; this takes about 20 minutes.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="With --recovery: local worker processes.",
)
@json_option
def adaptive(runs: int, seed: int, recovery: bool, workers: int, as_json: bool) -> None:
    """Simulate groups whose trials place themselves, and compare their cost with a uniform grid's.

    Every group places trials between 20 and 180, and its 50 % point is between 36 and 99. "scale"
    is the 10–90 % width over 4.394, in the logarithm; a group ends when the half-width of its 95 %
    interval, over the 50 % point, is "precision". "trials", "rounds" and "half width" are means at
    the end, "known" is the share of groups that ended so. "covered" is the share of the intervals
    that hold the truth, with its Wilson interval; "bias" is the mean error of the logarithm of the
    50 % point. "uniform trials" is the number with which 20 values, evenly spaced in the logarithm,
    have the same mean half-width, and "ratio" is that over "trials". "constant" is c where trials
    are (c · scale/precision)².

    The second table is about groups without a 50 % point among the values: their mean and largest
    number of trials, and how many groups have each ending.

    With --recovery, trials of Cocola's Fig. 1 at k = 20 are run in both ways, and nothing is
    simulated. "seconds" is the time of all trials, and "elapsed" that of the runs with their
    workers, without the start of these; both are in seconds. --runs and --seed do not matter then.
    Each run is reported when it ends.

    \b
    Example:
      genprior bench adaptive --runs 200 --json
      genprior bench adaptive --recovery
    """
    from .bench_adaptive import cost_rows, ending_rows, truths, truths_outside

    if recovery:
        rows = _recover(workers)
        if as_json:
            click.echo(
                json.dumps({"benchmark": "recovery", "machine": machine_kind(), "rows": rows})
            )
        else:
            _report("m at 50 % success to ± 5 %: placed trials, and a uniform grid", rows, False)
        return
    costs = list(_followed(cost_rows(runs, seed), truths(), "truths"))
    ends = list(_followed(ending_rows(runs, seed), truths_outside(), "endings"))
    if as_json:
        found = {"costs": costs, "endings": ends}
        click.echo(json.dumps({"benchmark": "adaptive", "machine": machine_kind(), **found}))
        return
    _report("trials that place themselves, and a uniform grid of the same half-width", costs, False)
    _report("endings of groups without a 50 % point among the values", ends, False)


def _recover(workers: int) -> list[dict[str, Any]]:
    """Run recoveries in both ways, and tell what each run found when it ends."""
    from ..executors.opening import open_executor
    from .bench_recovery import recovery_rows, ways

    rows = []
    with open_executor("processes", workers) as executor:
        for row in _followed(recovery_rows(0.05, executor), ways(), "runs"):
            log.print(
                f"depth {row['depth']}, {row['way']}: {row['trials']} trials, m50 = "
                f"{row['p50']:.1f} ±{row['half_width']:.1%}, {row['elapsed']:.0f} s",
                highlight=False,
            )
            rows.append(row)
    return rows


@bench.command()
@click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Trials at each of the 39 points of cocola-fig1; 30 are the whole preset.",
)
@json_option
def kernel(trials: int, as_json: bool) -> None:
    """Compare the fast engine with the plain one: their times, and whether their runs are the same.

    Both engines run trials of cocola-fig1 in turn, with one BLAS thread, and then runs of other
    shapes (from k = 1 on) and of other problems. This takes some minutes. A ratio is the plain
    engine's time divided by the fast one's, the median over runs. "ratio low" and "ratio high" are
    the 10 and 90 % quantiles; in the table of other shapes, "ratio low" is the smallest ratio.
    "same" counts runs with equal steps, negations and verdict. "code difference" is the distance of
    the two engines' codes, relative to their norm. "asked" is the ratio that this project requires.

    \b
    Example:
      genprior bench kernel
      genprior bench kernel --trials 30 --json
    """
    limit_blas_threads()
    points = list(_followed(compare_preset(trials), preset_points(), "points of cocola-fig1"))
    others = other_points()
    shapes = list(_followed(compare_others(others), len(others), "other problems"))
    rows = [row for row, _ in points]
    summary = summary_rows(points)
    if as_json:
        tables = {"points": rows, "summary": summary, "shapes": shapes}
        click.echo(json.dumps({"benchmark": "kernel", "machine": machine_kind(), **tables}))
        return
    _report("cocola-fig1: how many times faster the fast engine is", rows, as_json)
    _report("other shapes and losses", shapes, as_json)
    _report("all runs of cocola-fig1", summary, as_json)


@bench.command()
@json_option
def step(as_json: bool) -> None:
    """Compare the time of a step of the plain engine with that of its matrix-vector products.

    The products are those of two forward passes and one backward pass: a step with negation needs
    at least these. Both run in turn with one BLAS thread; ratios are medians over rounds.

    \b
    Example:
      genprior bench step
    """
    limit_blas_threads()
    grid = Grid(load_sweep("cocola-fig1"))
    rows = []
    for depth, k in STEP_POINTS:
        index = (grid.sweep.axes["depth"].index(depth), grid.sweep.axes["k"].index(k))
        rows.append(step_against_products(grid.point(index)))
    _report("descent step against its bare products", rows, as_json)


def step_against_products(point: Point) -> dict[str, Any]:
    """Time steps and their products alone, in turn; times in µs for each step."""
    instance = draw_instance(point, 0, seed=1)
    method = replace(instance.method, tolerance=0.0)
    state = method.start(instance.objective, instance.start)

    def steps() -> None:
        nonlocal state
        for _ in range(STEPS_A_ROUND):
            state = method.step(instance.objective, state)

    products = _bare_products(instance)
    pairs = np.array([(_seconds(steps), _seconds(products)) for _ in range(ROUNDS)])
    step, bare = np.median(pairs, axis=0) / STEPS_A_ROUND * 1e6
    ratios = pairs[:, 0] / pairs[:, 1]
    return {
        "depth": point.depth,
        "k": point.k,
        "step_us": float(step),
        "products_us": float(bare),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(np.quantile(ratios, 0.1)),
        "ratio_high": float(np.quantile(ratios, 0.9)),
    }


def _bare_products(instance: Instance) -> Callable[[], None]:
    problem: Any = instance.objective.problem
    weights, sensing = instance.objective.network.weights, problem.sensing.matrix
    vectors = [instance.start]
    for weight in (*weights, sensing):
        vectors.append(weight @ vectors[-1])
    chain = list(zip((*weights, sensing), vectors, vectors[1:], strict=False))

    def products() -> None:
        for _ in range(STEPS_A_ROUND):
            for _ in range(2):
                for matrix, below, _ in chain:
                    matrix @ below
            for matrix, _, above in reversed(chain):
                matrix.T @ above

    return products


def _seconds(function: Callable[[], None]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun
