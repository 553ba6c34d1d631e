"""Lines about groups whose trials place themselves."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from ...sweeps.labels import value_label
from .table_parts import interval_text

if TYPE_CHECKING:
    from ..run.plan import Plan

SHOWN_GROUPS = 40
OF_A_GROUP = ("trials", "p50", "p50_low", "p50_high", "reached", "ended")
ENDED = {
    "above": "50 % point above all values that may be placed",
    "below": "50 % point below all values that may be placed",
    "never": "success stays below 50 %",
    "most": "not known after all its trials",
    "known": "known",
}
ENDINGS = {  # of several groups
    "known": "known",
    "most": "with all that adaptive.most allows",
    "never": "below 50 % success",
    "above": "above the values",
    "below": "below the values",
}
PREDICTED = ("trials", "seconds")


def group_lines(groups: "list[dict[str, Any]]") -> list[str]:
    """Write a line for each group whose trials are placed, those that go on first."""
    endings = Counter(group["ended"] for group in groups)
    open_groups = endings.pop("", 0)
    headline = f"{len(groups) - open_groups:,} of {len(groups):,} ended"
    if set(endings) - {"known"}:
        named = (f"{count:,} {ENDINGS[ending]}" for ending, count in endings.most_common())
        headline += f" ({', '.join(named)})"
    if 0 < open_groups < len(groups):
        headline += "; the others come first"
    lines = [headline]
    shown = sorted(groups, key=lambda group: bool(group["ended"]))
    for group in shown[:SHOWN_GROUPS]:
        place = ", ".join(f"{n}={value_label(v)}" for n, v in group.items() if n not in OF_A_GROUP)
        lines.append(": ".join(filter(None, [place, _point(group)])))
    if (more := len(groups) - SHOWN_GROUPS) > 0:
        lines.append(f"{more:,} more")
    return lines


def _point(group: dict[str, Any]) -> str:
    """Write the 50 % point of a group, its precision, the number of trials, and how it ended."""
    trials = f"{group['trials']:,} trials"
    if group["p50"] is None:
        if not group["trials"]:
            return "no trials yet"
        return f"{ENDED[group['ended']] if group['ended'] else 'no 50 % point yet'}, {trials}"
    parts = [f"{group['p50']:.4g} ({interval_text(group['p50_low'], group['p50_high'])})"]
    if group["reached"] is not None:
        percents = 100 * group["reached"]
        parts.append(f"±{percents:.0f} %" if percents >= 10 else f"±{percents:.2g} %")
    parts.append(trials)
    if group["ended"] == "most":
        parts.append("all that adaptive.most allows")
    return ", ".join(parts)


def placed_plan_rows(planned: "Plan") -> dict[str, str]:
    """Give the rows of a plan of placed trials, text by name."""
    from dask.utils import format_bytes, format_time

    axes = " × ".join(f"{name} ({size})" for name, size in planned.axes.items())
    lines = []
    for group in planned.groups[:SHOWN_GROUPS]:
        place = ", ".join(f"{n}={value_label(v)}" for n, v in group.items() if n not in PREDICTED)
        text = f"{group['trials']:,} trials, {format_time(group['seconds'])}"
        lines.append(": ".join(filter(None, [place, text])))
    if (more := len(planned.groups) - SHOWN_GROUPS) > 0:
        lines.append(f"{more:,} more")
    return {
        "sweep": f"{planned.sweep} ({planned.hash})",
        "axes": axes,
        "groups": "\n".join([f"{len(planned.groups):,}, each predicted to take", *lines]),
        "trials": f"about {planned.trials:,}, in {planned.blocks:,} blocks",
        "time": f"about {format_time(planned.cpu_seconds)} of processor time, "
        f"{format_time(planned.wall_seconds)} with {planned.workers} idle processors",
        "store": f"at most {format_bytes(planned.bytes)} on disk",
        "memory": f"{format_bytes(planned.memory_bytes)} for {planned.workers} trials at a time",
    }
