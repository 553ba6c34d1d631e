"""Check a store completely, and repair it on request."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...store import (
    Damage,
    Inspection,
    Status,
    StoreInfo,
    exclusive,
    inspect_store,
    read_info,
    read_one_layout,
    repair_store,
    trial_at,
)
from ...sweeps import UserError
from ...sweeps.variables import Variable
from ...tasks import Experiment, task_kind
from ..show.counting import Counter, silent
from ..show.shown import Shown
from ..status import Counts, counts_of
from .rerun import Rerun, rerun

MOST_REPAIRS = 3  # one repair may show damage that another one hid
DAMAGE, LEFTOVER, FOREIGN = "damage", "leftover", "foreign"


@dataclass(frozen=True)
class Finding:
    """Something in a store that should not be there, or is not as it should be.

    Attributes:
        kind: `damage`, `leftover` (of a killed command: it does no harm) or `foreign` (the user's).
        where: a file relative to the store, or a trial.
        what: what is wrong, or what it is.
        trials: number of trials whose results are lost or wrong; 0 if none or unknown.
        repaired: whether it was repaired.
    """

    kind: str
    where: str
    what: str
    trials: int = 0
    repaired: bool = False


@dataclass(frozen=True, repr=False)
class StoreCheck(Shown):
    """What a check of a store found.

    Attributes:
        store: path of the store.
        outcome: `intact`, `repaired` or `damaged`.
        trials: numbers of trials by status, after a repair; those with lost results are pending.
        chunks: number of chunks whose checksums were compared.
        findings: everything that was found.
        rerun: trials that were run again, and what they gave.
        seed: seed with which these trials were drawn.
        not_checked: what could not be checked, and why; "" if everything was.
    """

    store: str
    outcome: str
    trials: Counts
    chunks: int
    findings: list[Finding]
    rerun: Rerun
    seed: int
    not_checked: str

    @property
    def exit_status(self) -> int:
        """The exit status: 0 if the store is intact or repaired, 1 if it is damaged."""
        return 1 if self.outcome == "damaged" else 0

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from ..show.check_tables import check_rows

        return check_rows(self)


def verify_store(
    path: Path,
    *,
    trials: int = 20,
    seed: int | None = None,
    repair: bool = False,
    count: Counter = silent,
) -> StoreCheck:
    """Check the structure, the checksums, the values and the files of a store.

    Some done trials, drawn at random, are run again in this process; their results must match to
    the bit, unless a difference of the environment explains it.

    Args:
        path: the store.
        trials: number of trials to run again.
        seed: seed of the draw of these trials; a new one if None.
        repair: mark what is damaged as pending, write lost metadata again, and remove what killed
            commands left.
        count: called with what is counted, how many are done, and how many there are.

    Raises:
        StoreError: there is no store, its root document is damaged, or runs give it other layouts
            all the time; with `repair`, it is being written, or something can be neither computed
            nor written again.
    """
    info = read_info(path)
    kind, why = _task_of(info)
    variables: tuple[Variable, ...] = kind.variables if kind else ()
    seed = secrets.randbelow(2**32) if seed is None else seed

    def inspect(of: StoreInfo) -> Inspection:
        return inspect_store(
            of, variables, trials=trials, seed=seed,
            listen=lambda done, total: count("checking blocks", done, total),
        )  # fmt: skip

    with exclusive(path) if repair else nullcontext():
        first = inspection = read_one_layout(
            path, lambda: inspect(read_info(path).with_grid(info.grid))
        )
        for _ in range(MOST_REPAIRS if repair else 0):
            if not _to_repair(inspection):
                break
            inspection = inspect(repair_store(inspection, variables))
        again = Rerun(not_run=why or "not asked for")
        if trials and kind is not None:
            again = rerun(
                inspection.info, kind, inspection.sample,
                lambda done, total: count("running trials again", done, total),
            )  # fmt: skip
        wrong = [trial.index for trial in again.damaged]
        if again.trials < inspection.counts[Status.DONE]:
            wrong = _blocks_of(inspection.info, wrong)
        # A block of which an array cannot be read is not written again.
        repaired = repair and not inspection.unread
        if repaired and wrong:
            repair_store(inspection, variables, wrong)
    findings = _marked(_findings(first), _findings(inspection))
    findings += [replace(finding, repaired=repaired) for finding in _wrong_trials(again)]
    findings += _suspects(again, inspection.counts[Status.DONE])
    return StoreCheck(
        store=str(path),
        outcome=_outcome(findings),
        trials=_counts(inspection, len(again.damaged)),
        chunks=inspection.chunks,
        findings=findings,
        rerun=again,
        seed=seed,
        not_checked=_not_checked(inspection, why),
    )


def _task_of(info: StoreInfo) -> tuple[Experiment | None, str]:
    """Give the task of a store, or None and why it is not known here."""
    try:
        return task_kind(info.sweep.task), ""
    except UserError as error:
        return None, str(error)


def _to_repair(inspection: Inspection) -> bool:
    left = inspection.strays.unfinished or inspection.strays.areas or inspection.not_cleared
    return bool(inspection.damaged or left)


def _findings(inspection: Inspection) -> list[Finding]:
    """List what a check found: damage first, what is the user's last."""
    info, strays = inspection.info, inspection.strays
    findings = [
        Finding(DAMAGE, str(damage.file), _what(damage), _trials_of(info, damage))
        for damage in (*inspection.damages, *inspection.other_values)
    ]
    findings += [
        Finding(DAMAGE, f"trial {trial_at(info.grid, fault.first)}", what, fault.trials)
        for what, fault in inspection.faults.items()
    ]
    findings += [
        Finding(DAMAGE, f"analysis/{name}", f"is damaged ({why}); 'genprior fit' makes it again")
        for name, why in inspection.analyses.items()
    ]
    if (left := inspection.not_cleared) is not None:
        what = "not done, but with values; a writer was killed, or writes just now"
        findings.append(
            Finding(LEFTOVER, f"trial {trial_at(info.grid, left.first)}", what, left.trials)
        )
    for file in strays.unfinished:
        findings.append(Finding(LEFTOVER, str(file), "a temporary file of a killed writer"))
    for area in strays.areas:
        what = "a work area of a command that was killed, or runs just now"
        findings.append(Finding(LEFTOVER, area.name, what))
    for file in strays.outside:
        findings.append(Finding(FOREIGN, str(file), "a chunk outside the grid; nothing reads it"))
    for file in inspection.foreign:
        findings.append(Finding(FOREIGN, str(file), "not made by genprior"))
    return findings


def _what(damage: Damage) -> str:
    others = len(damage.blocks) - 1
    return damage.what + (f" (and {others:,} more of its chunks)" if others > 0 else "")


def _trials_of(info: StoreInfo, damage: Damage) -> int:
    """Count the places of trials in the damaged chunks."""
    sizes = (
        [part.stop - part.start for part in info.layout.region(block)] for block in damage.blocks
    )
    total = 0
    for shape in sizes:
        product = 1
        for size in shape:
            product *= size
        total += product
    return total


def _marked(found: Sequence[Finding], remaining: Sequence[Finding]) -> list[Finding]:
    """Mark what is no longer found as repaired, and add what only a repair made visible."""
    marked = [replace(finding, repaired=finding not in remaining) for finding in found]
    return marked + [finding for finding in remaining if finding not in found]


def _wrong_trials(again: Rerun) -> list[Finding]:
    return [
        Finding(
            DAMAGE,
            f"trial {trial.trial}",
            f"'{trial.variable}' is {trial.stored} in the store and {trial.computed} when it is "
            "run again in the same environment"
            if trial.variable
            else f"done in the store, and crashes when it is run again: {trial.computed}",
            1,
        )
        for trial in again.damaged
    ]


def _blocks_of(info: StoreInfo, indices: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """List all trials of the blocks in which some trials are: these were written together."""
    layout = info.layout
    blocks = {tuple(i // c for i, c in zip(index, layout.chunks, strict=True)) for index in indices}
    return [
        tuple(part.start + i for part, i in zip(region, offset, strict=True))
        for region in map(layout.region, sorted(blocks))
        for offset in np.ndindex(*(part.stop - part.start for part in region))
    ]


def _suspects(again: Rerun, done: int) -> list[Finding]:
    """Say that trials which were not run again may be wrong, if some that were are."""
    others = done - again.trials
    if not again.damaged or others <= 0:
        return []
    what = (
        f"not run again, and {len(again.damaged):,} of {again.trials:,} that were are wrong; "
        f"'genprior verify --trials {done}' runs all again"
    )
    return [Finding(DAMAGE, "other trials", what, others)]


def _outcome(findings: Sequence[Finding]) -> str:
    damages = [finding for finding in findings if finding.kind == DAMAGE]
    if any(not finding.repaired for finding in damages):
        return "damaged"
    return "repaired" if any(finding.repaired for finding in findings) else "intact"


def _counts(inspection: Inspection, wrong: int) -> Counts:
    numbers = dict(inspection.counts)
    numbers[Status.DONE] -= wrong
    numbers[Status.PENDING] += wrong
    return counts_of(numbers)


def _not_checked(inspection: Inspection, why: str) -> str:
    parts = [f"values of trials ({why})"] if why else []
    if inspection.unread:
        parts.append(f"values in {', '.join(inspection.unread)}, whose documents are damaged")
    return "; ".join(parts)
