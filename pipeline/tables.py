"""What commands print for people."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ..sweeps import Grid, Sweep
from ..sweeps.labels import value_label
from .crashes import crash_lines
from .table_parts import table_of

if TYPE_CHECKING:
    from .plan import Plan
    from .run import RunSummary
    from .status import Crash, StoreStatus

SHOWN_TEXTS = 5
UNKNOWN = "–"
REMARKS = {
    "never": "success stays below 50 % at every value of {} that was run",
    "outside-grid": "success crosses 50 % outside the values of {} that were run; add values there",
    "leaves-grid": "the 95 % interval reaches beyond the values of {} that were run",
    "low-ceiling": "success may level off near or below 50 %, so that there may be no 50 % point",
    "resolution-limited": "the transition is steeper than the values of {} are apart",
    "against-direction": "the outcomes speak for the other direction along {} than the one fitted: "
    "that known of it, given by fit.direction, or common to all curves",
    "direction-open": "the outcomes do not tell whether success rises or falls along {}; 'genprior "
    "run' with --set fit.direction=rising or falling does",
    "no-trials": "nothing was run there",
}


def presets(sweeps: Iterable[Sweep]) -> Table:
    """One row a preset; its file says more."""
    table = table_of("sweep", "trials", "what it measures")
    table.columns[0].no_wrap = True
    for sweep in sweeps:
        grid = Grid(sweep)
        trials = int((~grid.excluded).sum()) * sweep.trials
        table.columns[0].min_width = max(table.columns[0].min_width or 0, len(sweep.name))
        table.add_row(sweep.name, f"{trials:,}", sweep.title)
    return table


def plan_rows(planned: "Plan") -> dict[str, str]:
    """One row a figure."""
    from dask.utils import format_bytes, format_time

    axes = " × ".join(f"{name} ({size})" for name, size in planned.axes.items())
    excluded = planned.excluded_points
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
    }


def status_rows(found: "StoreStatus") -> dict[str, str]:
    """One row a figure."""
    from dask.utils import format_time

    trials = found.trials
    rows = {
        "store": found.store,
        "sweep": f"{found.sweep} ({found.hash})",
        "axes": " × ".join(f"{name} ({size})" for name, size in found.axes.items()) or "none",
        "trials": f"{trials.done:,} of {trials.total:,} done, {trials.pending:,} pending, "
        f"{trials.crashed:,} crashed"
        + (f", {trials.excluded:,} excluded" if trials.excluded else ""),
    }
    if trials.done:
        if found.successes is not None:
            share = 100 * found.successes / trials.done
            rows["success"] = f"{found.successes:,} of {trials.done:,} ({share:.1f} %)"
        rows["time"] = f"{format_time(found.trial_seconds)} in trials"
    if current := _current(found.analyses):
        rows["fits"] = current
    if found.not_made and trials.done:
        rows["not fitted"] = f"{', '.join(found.not_made)}; 'genprior fit' makes them"
    if outdated := _outdated(found.analyses):
        rows["out of date"] = outdated
    if found.abandonment:
        rows["abandoned"] = _audit(found.abandonment)
    if found.damaged:
        rows["damaged"] = "\n".join(damage["what"] for damage in found.damaged)
    if found.crashes:
        rows["crashed"] = "\n".join(map(_crash, found.crashes[:SHOWN_TEXTS]))
        if more := len(found.crashes) - SHOWN_TEXTS:
            rows["crashed"] += f"\n{more:,} other texts" if more > 0 else ""
    return rows


def _crash(crash: "Crash") -> str:
    """Say a text once, how many trials said it, and where the first of them is."""
    place = ", ".join(f"{name}={value_label(value)}" for name, value in crash["first"].items())
    trials = "1 trial" if crash["trials"] == 1 else f"{crash['trials']:,} trials, first"
    return f"{trials} at {place}: {crash['error']}"


def _current(analyses: dict[str, Any]) -> str:
    """Name the analyses that are up to date, and the axis where a command named one."""
    return ", ".join(
        name + (f" along {analysis['along']}" if "along" in analysis else "")
        for name, analysis in analyses.items()
        if not analysis["outdated"]
    )


def _outdated(analyses: dict[str, Any]) -> str:
    """Name the analyses that are out of date, by what has changed; empty if none is."""
    reasons: dict[str, list[str]] = {}
    for name, analysis in analyses.items():
        if analysis["outdated"]:
            reasons.setdefault(analysis["outdated"], []).append(name)
    told = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return "; ".join([*told, "'genprior fit' brings them up to date"]) if told else ""


def damage(found: "StoreStatus") -> str:
    """One line on the first thing that is damaged, and how to mend it."""
    first, others = found.damaged[0], len(found.damaged) - 1
    more = f" ({others} more such damages)" if others else ""
    return f"{found.store}/{first['what']}{more}. {first['remedy']}"


def transitions(fitted: dict[str, Any]) -> Table:
    """One row a group; a 50 % point outside the grid is told as the bound it is.

    Ceilings have a column if any is told from 1.
    """
    found = fitted["transitions"]
    along = found[0]["along"]
    groups = [name for name in found[0] if name in fitted["groups"]]
    ceilings = any(row["ceiling_high"] is not None and row["ceiling_high"] < 1 for row in found)
    table = table_of(
        *groups, f"50 % point ({along})", "95 % interval", "10–90 % width",
        *(["ceiling, %"] if ceilings else []), "trials", "remark",
    )  # fmt: skip
    for column in table.columns:  # where the table is narrow, the headers are folded
        column.no_wrap = ceilings and column.header in ("95 % interval", "ceiling, %", "remark")
    words = {word for row in found for word in row["flag"].split(", ")}
    for row in found:
        table.add_row(
            *(value_label(row[name]) for name in groups),
            _point(row, fitted["positions"]),
            _interval(row),
            UNKNOWN if row["width"] is None else f"{row['width']:.3g}",
            *([_ceiling(row)] if ceilings else []),
            f"{row['trials']:,}",
            row["flag"].replace(", ", ",\n"),
        )
    remarks = sorted(words & set(REMARKS))
    lines = ["ceiling: what success levels off at, 95 % interval"] if ceilings else []
    lines += [f"{name}: {REMARKS[name].format(along)}" for name in remarks]
    lines += [
        ", ".join([*(f"{name} = {value_label(row[name])}" for name in groups), _audit(row)])
        for row in found
        if row.get("abandoned") or row.get("audited")
    ]
    lines += crash_lines(found, groups, "trials")
    if lines:
        table.caption = "\n".join(lines)
        table.caption_justify = "left"
    return table


def _ceiling(row: dict[str, Any]) -> str:
    """Write the interval of a ceiling in %."""
    if row["ceiling_low"] is None:
        return UNKNOWN
    return f"{100 * row['ceiling_low']:.3g} – {100 * row['ceiling_high']:.3g}"


def _audit(row: dict[str, Any]) -> str:
    """What is known of abandoned runs."""
    found = f"{row['abandoned']:,} abandoned as hopeless"
    if not row["audited"]:
        return f"{found}; without an audit it is unknown how many would have recovered"
    found += f"; {row['audited_wrong']:,} of {row['audited']:,} audited ones recovered after that"
    if row["wrong_rate_low"] is None:
        return found
    low, high = (100 * row[f"wrong_rate_{bound}"] for bound in ("low", "high"))
    return f"{found}, so {low:.3g} – {high:.3g} % of the abandoned would have (95 % interval)"


def _point(row: dict[str, Any], positions: tuple[float, float]) -> str:
    """Write a 50 % point, or the bound that is known of it."""
    if row["outcome"] == "inside":
        return f"{row['p50']:.4g}"
    if row["outcome"] not in ("below", "above"):
        return "never" if row["outcome"] == "never" else UNKNOWN
    sign, bound = ("<", row["p50_high"]) if row["outcome"] == "below" else (">", row["p50_low"])
    if bound is None:
        return UNKNOWN
    return f"{sign} {value_label(bound) if bound in positions else f'{bound:.4g}'}"


def _interval(row: dict[str, Any]) -> str:
    """Write the interval of a 50 % point inside the values run; one end may be unknown."""
    low, high = row["p50_low"], row["p50_high"]
    if row["outcome"] != "inside" or (low is None and high is None):
        return UNKNOWN
    if high is None:
        return f"> {low:.4g}"
    return f"< {high:.4g}" if low is None else f"{low:.4g} – {high:.4g}"


def run_summary(summary: "RunSummary") -> str:
    """One to three lines on how a run ended."""
    from dask.utils import format_time

    pieces = [f"{summary.store}: {summary.done:,} of {summary.total:,} trials done"]
    if summary.computed:
        computed = f"{summary.computed:,} computed in {format_time(summary.wall_seconds)}"
        if summary.successes is not None:
            computed += f", {100 * summary.successes / summary.computed:.0f} % of them recovered"
        if summary.already_done and summary.done_successes is not None:
            computed += (
                f" ({100 * summary.done_successes / summary.done:.0f} % of all that are done)"
            )
        pieces.append(computed)
    elif summary.done == summary.total:
        pieces.append("nothing left to compute")
    if summary.crashed:
        pieces.append(f"{summary.crashed:,} crashed (last: {summary.last_error})")
    if summary.workers_lost:
        one = summary.workers_lost == 1
        died = "1 worker" if one else f"{summary.workers_lost:,} workers"
        pieces.append(f"{died} died; {'its block' if one else 'their blocks'} went to others")
    if summary.interrupted:
        pieces.append("interrupted")
    if summary.unasked:
        pieces.append(f"{summary.unasked:,} others, of earlier commands, are not done")
    text = "; ".join(pieces) + "."
    if summary.mended:
        text = f"{summary.store}: {summary.mended}.\n{text}"
    return text if summary.exit_status == 0 else f"{text}\nRepeat the same command to go on."


def summary_rows(summary: "RunSummary") -> dict[str, str]:
    """One row a figure."""
    from dask.utils import format_time

    rows = {
        "store": summary.store,
        "trials": f"{summary.done:,} of {summary.total:,} done, {summary.crashed:,} crashed",
        "computed": f"{summary.computed:,} in {format_time(summary.wall_seconds)}",
    }
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
    """One row a name and its text."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
