"""What `verify` and `merge` print."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..merge import MergeSummary
    from ..status import Counts


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
