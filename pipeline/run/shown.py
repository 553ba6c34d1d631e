"""A run with its progress shown, checked while its workers start: for the command and for `run`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ...sweeps import Sweep
from ...sweeps.part import Part

if TYPE_CHECKING:
    from ..executors.base import Executor
    from ..show.progress import Progress
    from .request import RunRequest
    from .summary import RunSummary


class _NothingLeftError(Exception):
    """All trials are done, so that workers need not start."""

    def __init__(self, summary: "RunSummary"):
        super().__init__()
        self.summary = summary


def run_shown(
    sweep: Sweep,
    path: Path,
    opened: "Callable[[Callable[[], RunRequest]], AbstractContextManager[Executor]]",
    shown: "Progress",
    part: str | None,
    *,
    retries: int,
    fail_fast: bool,
    allow_mixed: bool,
    trial_timeout: float | None,
    grace: float,
    budget: float | None = None,
) -> "RunSummary":
    """Check a sweep while its workers start, and run it.

    Args:
        sweep: what to run.
        path: the store.
        opened: starts workers, and calls its argument while they start.
        shown: shows the progress.
        part: the part of the store's blocks to run, such as "3/16"; all if None.
        retries: how often a crashed trial is tried again.
        fail_fast: stop at the first crashed trial.
        allow_mixed: mix results of other machines, libraries or kernels.
        trial_timeout: seconds that a trial may take; None for no limit.
        grace: seconds that running trials get after an interruption.
        budget: seconds after which the run stops with what there is; None for no limit.

    Raises:
        UserError: the sweep cannot be run, or the store holds another experiment.
    """
    checked: list[RunRequest] = []
    asked = None if part is None else Part.parse(part)

    def check() -> "RunRequest":
        # Imported while workers start.
        from .complete import complete_summary
        from .request import check_request

        checked.append(check_request(sweep, path, part=asked))
        if (summary := complete_summary(checked[0])) is not None:
            raise _NothingLeftError(summary)
        shown.expect(checked[0].trials)
        return checked[0]

    with ExitStack() as stack:
        try:
            executor = stack.enter_context(opened(check))
        except _NothingLeftError as nothing:
            shown.listen(nothing.summary)
            return nothing.summary
        from .runner import run_request

        shown.phase("timing a few trials")
        return run_request(
            checked[0],
            executor,
            retries=retries,
            fail_fast=fail_fast,
            allow_mixed=allow_mixed,
            trial_timeout=trial_timeout,
            grace=grace,
            budget=budget,
            listen=shown.listen,
            tell=shown.tell,
        )
