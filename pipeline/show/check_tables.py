"""What `verify` and `merge` print."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..status import Counts
    from ..upkeep.merge import MergeSummary
    from ..upkeep.verify import Finding, StoreCheck

SHOWN = 20  # findings of a kind


def counts_text(trials: "Counts") -> str:
    """Write numbers of trials by status; those that are 0 are left out, except for the done."""
    named = {
        "pending": trials.pending,
        "crashed": trials.crashed,
        "excluded": trials.excluded,
        "not asked": trials.not_asked,
    }
    others = "".join(f", {number:,} {name}" for name, number in named.items() if number)
    return f"{trials.done:,} of {trials.total:,} done{others}"


def merge_rows(summary: "MergeSummary") -> dict[str, str]:
    """Give the rows of a merge, text by name."""
    rows = {
        "store": summary.store,
        "trials": counts_text(summary.trials),
        "taken": "\n".join(f"{number:,} from {store}" for store, number in summary.taken.items()),
    }
    if summary.identical:
        rows["in several"] = f"{summary.identical:,} trials, with the same results"
    if summary.mixed:
        rows["mixed"] = "\n".join(summary.mixed)
    if summary.not_carried:
        rows["not carried"] = f"{', '.join(summary.not_carried)}; 'genprior fit' makes them"
    return rows


def check_rows(check: "StoreCheck") -> dict[str, str]:
    """Give the rows of a check of a store, text by name."""
    rows = {
        "store": f"{check.store}: {check.outcome}",
        "trials": counts_text(check.trials),
        "checksums": f"of {check.chunks:,} chunks compared",
        "run again": rerun_text(check),
    }
    if check.not_checked:
        rows["not checked"] = check.not_checked
    titles = {"damage": "damaged", "leftover": "left over", "foreign": "not ours"}
    for kind, title in titles.items():
        lines = [finding_text(finding) for finding in check.findings if finding.kind == kind]
        if lines:
            more = [f"{len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
            rows[title] = "\n".join([*lines[:SHOWN], *more])
    return rows


def finding_text(finding: "Finding") -> str:
    """Write a finding in one line."""
    trials = f", {count_text(finding.trials, 'trial')}" if finding.trials > 1 else ""
    repaired = " [repaired]" if finding.repaired else ""
    return f"{finding.where}{trials}: {finding.what}{repaired}"


def count_text(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rerun_text(check: "StoreCheck") -> str:
    """Say what trials gave when they were run again."""
    again = check.rerun
    if again.not_run:
        return f"no trial ({again.not_run})"
    drawn = f"of {count_text(again.trials, 'trial')}, drawn with seed {check.seed}"
    other = [f"{d['what']} is '{d['there']}' there and '{d['here']}' here"
             for d in again.environment]  # fmt: skip
    if not again.different:
        lines = [f"{drawn}, all give the same results to the bit"]
        if other:
            lines.append(f"although {'; '.join(other)}")
    elif other:
        first = again.different[0]
        what = f"'{first.variable}' is {first.stored} in the store and {first.computed} here"
        if not first.variable:
            what = f"it crashes here: {first.computed}"
        lines = [
            f"{drawn}, {len(again.different):,} give other results: {first.trial}, {what}",
            f"The environment explains it: {'; '.join(other)}",
        ]
    else:
        lines = [f"{drawn}, {len(again.different):,} give other results in the same environment"]
    return "\n".join(lines)


def damaged_line(check: "StoreCheck") -> str:
    """Say in one line that a store is damaged, and the next move."""
    damages = [f for f in check.findings if f.kind == "damage" and not f.repaired]
    first = f"{check.store}: {damages[0].where} {damages[0].what}"
    more = f" ({len(damages) - 1:,} more damages)" if len(damages) > 1 else ""
    move = " 'genprior verify --repair' marks it as pending, and 'genprior run' computes it."
    if damages[0].where.startswith("analysis/"):
        move = ""  # it says so itself
    if any(finding.repaired for finding in check.findings):
        move = " It cannot be repaired; restore it from a copy."
    return f"{first}{more}.{move}"
