"""Tables and lines that the commands print."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ...sweeps import Grid, Sweep
from ...sweeps.labels import value_label
from .placed_tables import group_lines, placed_plan_rows
from .table_parts import table_of
from .transition_tables import audit_text

if TYPE_CHECKING:
    from ..run.plan import Plan
    from ..run.summary import RunSummary
    from ..status import Crash, Running, StoreStatus

SHOWN_TEXTS = 5


def presets(sweeps: Iterable[Sweep]) -> Table:
    """Make a table with a row for each preset."""
    table = table_of("sweep", "trials", "what it measures")
    table.columns[0].no_wrap = True
    for sweep in sweeps:
        trials = "placed"  # as many as they need
        if sweep.placed is None:
            trials = f"{int((~Grid(sweep).excluded).sum()) * sweep.trials:,}"
        table.columns[0].min_width = max(table.columns[0].min_width or 0, len(sweep.name))
        table.add_row(sweep.name, trials, sweep.title)
    return table


def plan_rows(planned: "Plan") -> dict[str, str]:
    """Give the rows of a plan, text by name."""
    from dask.utils import format_bytes, format_time

    axes = " × ".join(f"{name} ({size})" for name, size in planned.axes.items())
    excluded = planned.excluded_points
    if planned.groups:
        return placed_plan_rows(planned) | design_rows(planned)
    return {
        "sweep": f"{planned.sweep} ({planned.hash})",
        "axes": axes or "none",
        "points": f"{planned.points:,}" + (f" ({excluded:,} excluded)" if excluded else ""),
        "trials": f"{planned.trials:,}",
        "blocks": f"{planned.blocks:,}, trials in each: {planned.trials_per_block:,}",
        "time": f"about {format_time(planned.cpu_seconds)} of processor time, "
        f"{format_time(planned.wall_seconds)} with {planned.workers} idle processors "
        "(runs that outlast the pilot are counted with their whole step budget)",
        "store": f"at most {format_bytes(planned.bytes)} on disk",
        "memory": f"{format_bytes(planned.memory_bytes)} for {planned.workers} trials at a time",
        **design_rows(planned),
    }


def design_rows(planned: "Plan") -> dict[str, str]:
    """Give what each analysis will be able to tell, text by name."""
    return {name: _design(name, rows) for name, rows in planned.design.items()}


def _design(name: str, rows: list[dict[str, Any]]) -> str:
    """Write what an analysis will be able to tell."""
    from ..analyses import analysis_of

    analysis = analysis_of(name)
    return analysis.design_text(rows) if analysis else ""


def status_rows(status: "StoreStatus") -> dict[str, str]:
    """Give the rows of a store's status, text by name."""
    from dask.utils import format_time

    trials = status.trials
    rows = {
        "store": status.store,
        "sweep": f"{status.sweep} ({status.hash})",
        "axes": " × ".join(f"{name} ({size})" for name, size in status.axes.items()) or "none",
        "trials": f"{trials.done:,} of {trials.total:,} done, {trials.pending:,} pending, "
        f"{trials.crashed:,} crashed"
        + (f", {trials.excluded:,} excluded" if trials.excluded else "")
        + (f", {trials.not_asked:,} not asked" if trials.not_asked else ""),
    }
    if status.groups:
        rows["groups"] = "\n".join(group_lines(status.groups))
    if status.runs:
        rows["running"] = "\n".join(map(_running, status.runs))
    if together := _together(status.runs):
        rows["together"] = together
    if status.queue:
        from ..batch.submitted import listed

        rows["queued"] = listed(status.queue)
    if trials.done:
        if status.successes is not None:
            share = 100 * status.successes / trials.done
            rows["success"] = f"{status.successes:,} of {trials.done:,} ({share:.1f} %)"
        rows["time"] = f"{format_time(status.trial_seconds)} in trials"
    if current := _current(status.analyses):
        rows["fits"] = current
    if status.not_made and trials.done:
        rows["not fitted"] = f"{', '.join(status.not_made)}; 'genprior fit' makes them"
    if outdated := _outdated(status.analyses):
        rows["out of date"] = outdated
    if status.abandonment:
        rows["abandoned"] = audit_text(status.abandonment)
    if status.damaged:
        rows["damaged"] = "\n".join(damage["what"] for damage in status.damaged)
    if status.crashes:
        rows["crashed"] = "\n".join(map(_crash, status.crashes[:SHOWN_TEXTS]))
        if more := len(status.crashes) - SHOWN_TEXTS:
            rows["crashed"] += f"\n{more:,} other texts" if more > 0 else ""
    return rows


def _running(run: "Running") -> str:
    """Write where a run is, and how far; for one without a sign how long that is."""
    from .progress import clock

    parts = [f"process {run['process']} on {run['host']}", run["job"]]
    parts.append(f"part {run['part']}" if run["part"] else "")
    if run["workers"] is None:
        parts.append("starting")
    else:
        if run["groups"]:
            parts.append(f"{run['groups_ended']:,} of {run['groups']:,} groups ended")
        parts.append("1 worker" if run["workers"] == 1 else f"{run['workers']:,} workers")
        if run["done"] is not None and run["total"] is not None:
            parts.append(f"{run['done']:,} of {run['total']:,} trials done")
    if run["crashed"]:
        parts.append(f"{run['crashed']:,} crashed")
    if not _is_alive(run):
        parts.append(f"no sign for {clock(run['silent_seconds'])}: it is probably dead")
    elif run["per_second"] is not None and run["seconds_left"] is not None:
        parts += [f"{run['per_second']:.3g}/s", f"{clock(run['seconds_left'])} left"]
    return ", ".join(filter(None, parts))


def _together(runs: "list[Running]") -> str:
    """Add up the parts that run at the same time; nothing for fewer than two."""
    from .progress import clock

    begun = [run for run in runs if run["per_second"] is not None and _is_alive(run)]
    if len(begun) < 2:
        return ""
    workers = sum(run["workers"] or 0 for run in begun)
    rate = sum(run["per_second"] or 0 for run in begun)
    left = max(run["seconds_left"] or 0 for run in begun)
    return f"{len(begun):,} runs, {workers:,} workers, {rate:.3g}/s, {clock(left)} left"


def _is_alive(run: "Running") -> bool:
    from ...store.lock import SILENT

    return run["silent_seconds"] <= SILENT


def _crash(crash: "Crash") -> str:
    """Write an error text, the number of its trials, and the coordinates of the first one."""
    first = ", ".join(f"{name}={value_label(value)}" for name, value in crash["first"].items())
    trials = "1 trial" if crash["trials"] == 1 else f"{crash['trials']:,} trials, first"
    return f"{trials} at {first}: {crash['error']}"


def _current(analyses: dict[str, Any]) -> str:
    """List the analyses that are up to date, with the axis if a command named one."""
    return ", ".join(
        name
        + (f" along {analysis['along']}" if "along" in analysis else "")
        + (f" of errors below {analysis['below']:g}" if "below" in analysis else "")
        for name, analysis in analyses.items()
        if not analysis["outdated"]
    )


def _outdated(analyses: dict[str, Any]) -> str:
    """List the analyses that are out of date by their reasons; "" if there are none."""
    reasons: dict[str, list[str]] = {}
    for name, analysis in analyses.items():
        if analysis["outdated"]:
            reasons.setdefault(analysis["outdated"], []).append(name)
    parts = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return "; ".join([*parts, "'genprior fit' brings them up to date"]) if parts else ""


def damage(status: "StoreStatus") -> str:
    """Write a line on the first damage and how to repair it."""
    first, others = status.damaged[0], len(status.damaged) - 1
    more = f" ({others} more such damages)" if others else ""
    return f"{status.store}/{first['what']}{more}. {first['remedy']}"


def run_summary(summary: "RunSummary") -> str:
    """Write one to three lines on the result of a run."""
    from dask.utils import format_time

    what = f"part {summary.part} of {summary.store}" if summary.part else summary.store
    pieces = [f"{what}: {summary.done:,} of {summary.total:,} trials done"]
    if summary.groups:
        pieces.append(f"{summary.groups_ended:,} of {summary.groups:,} groups ended")
    if summary.computed:
        computed = f"{summary.computed:,} computed in {format_time(summary.wall_seconds)}"
        if summary.successes is not None:
            computed += f", {100 * summary.successes / summary.computed:.0f} % of them recovered"
        if summary.already_done and summary.done_successes is not None:
            computed += (
                f" ({100 * summary.done_successes / summary.done:.0f} % of all that are done)"
            )
        pieces.append(computed)
    elif summary.exit_status == 0:
        pieces.append("nothing left to compute")
    if summary.crashed:
        pieces.append(f"{summary.crashed:,} crashed (last: {summary.last_error})")
    if summary.workers_lost:
        single = summary.workers_lost == 1
        died = "1 worker" if single else f"{summary.workers_lost:,} workers"
        pieces.append(f"{died} died; others ran {'its block' if single else 'their blocks'}")
    if summary.interrupted:
        pieces.append("interrupted")
    if summary.out_of_time:
        pieces.append("the budget of time is spent")
    if summary.unasked:
        pieces.append(f"{summary.unasked:,} other trials, of earlier commands, are not done")
    text = "; ".join(pieces) + "."
    if summary.mended:
        text = f"{summary.store}: {summary.mended}.\n{text}"
    return text if summary.exit_status == 0 else f"{text}\nRepeat the same command to go on."


def summary_rows(summary: "RunSummary") -> dict[str, str]:
    """Give the rows of a run's summary, text by name."""
    from dask.utils import format_time

    rows = {
        "store": summary.store,
        "trials": f"{summary.done:,} of {summary.total:,} done, {summary.crashed:,} crashed",
        "computed": f"{summary.computed:,} in {format_time(summary.wall_seconds)}",
    }
    if summary.groups:
        rows["groups"] = f"{summary.groups_ended:,} of {summary.groups:,} ended"
    if summary.done_successes is not None and summary.done:
        share = 100 * summary.done_successes / summary.done
        rows["success"] = f"{summary.done_successes:,} of {summary.done:,} ({share:.1f} %)"
    if summary.crashed:
        rows["last error"] = summary.last_error
    if summary.workers_lost:
        rows["workers lost"] = f"{summary.workers_lost:,}; others ran their blocks"
    if summary.unasked:
        rows["not asked for"] = f"{summary.unasked:,} other trials of the store are not done"
    if summary.mended:
        rows["mended"] = summary.mended
    return rows


def pairs(rows: Mapping[str, str]) -> Table:
    """Make a table of two columns, names and texts."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
