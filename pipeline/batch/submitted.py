"""The last submission of a store: its record next to the store, and what Slurm says of it."""

import json
import os
import shlex
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ...store.lock import SILENT
from ...store.ordinary import UnsafeFileError, parsed, read_file
from ...sweeps import UserError
from ...sweeps.tables import Strict
from ..executors.queues import SQUEUE, states_in
from ..status import Running, running
from .slurm_job import TO_GO_ON, SlurmJob, SubmissionError

JOBS = ".jobs"  # after the store's name: the folder of scripts and logs
FILE = "submitted.json"
LONGEST_RECORD, LONGEST_END = 100_000, 4_000  # bytes of a record, and of the end of a log
ANSWER_TIMEOUT = 5.0
SHOWN_JOBS = 3
ON_SLURM = "Slurm job "  # how the record of a run begins the name of its job


class NotMadeError(UserError):
    """A store that its job has not made yet."""

    exit_status = 3


class Submitted(Strict):
    """The last submission of a store.

    Attributes:
        made_by: the command.
        name: the name of its jobs in the queue.
        jobs: their ids, each of a job or of an array.
        folder: where their logs are.
        time: when it was submitted, in seconds since 1970.
    """

    made_by: Literal["genprior submit"] = "genprior submit"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    jobs: Annotated[tuple[str, ...], Field(min_length=1)]
    folder: str
    time: float

    def states(self) -> dict[str, str] | None:
        """Ask Slurm which of the jobs are waiting or running.

        Returns:
            State and reason by job, such as `PENDING (Resources)`; empty if all have ended. None if
            Slurm does not answer quickly.
        """
        try:
            said = subprocess.run(
                [*SQUEUE, f"--name={self.name}"], check=True, capture_output=True, text=True,
                errors="replace", stdin=subprocess.DEVNULL, timeout=ANSWER_TIMEOUT,
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return states_in(said)

    def log(self) -> Path | None:
        """Give the log that was written last; None if there is none."""
        logs: dict[Path, float] = {}
        for file in Path(self.folder).glob(f"{self.name}-*.log"):
            with suppress(OSError):
                logs[file] = file.stat().st_mtime
        return max(logs, key=lambda file: logs[file], default=None)

    def who(self) -> str:
        """Name the jobs."""
        first, more = self.jobs[:SHOWN_JOBS], len(self.jobs) - SHOWN_JOBS
        others = f" and {more} more" if more > 0 else ""
        return f"{'job' if len(self.jobs) == 1 else 'jobs'} {', '.join(first)}{others}"


def jobs_folder(store: Path) -> Path:
    """Give the folder of a store's last submission, and of scripts and logs by default."""
    path = store.absolute()
    return path.with_name(path.name + JOBS)


def leave_record(store: Path, job: SlurmJob, ids: list[str]) -> None:
    """Leave with a store what was submitted for it."""
    made = Submitted(name=job.name, jobs=tuple(ids), folder=str(job.folder), time=time.time())
    folder = jobs_folder(store)
    new = folder / f".{FILE}.{os.getpid()}"
    # The jobs are in the queue: that their record cannot be written must not look like a failure.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(made.model_dump(mode="json")), encoding="utf-8")
        os.replace(new, folder / FILE)


def last_submission(store: Path) -> Submitted | None:
    """Read the last submission of a store; None if there was none, or it cannot be read."""
    try:
        return Submitted(**parsed(read_file(jobs_folder(store) / FILE, LONGEST_RECORD)))
    except (OSError, UnsafeFileError, ValueError, TypeError, ValidationError):
        return None


def listed(states: dict[str, str]) -> str:
    """List jobs with their states, the first ones by name."""
    named = [f"{job} {state}" for job, state in states.items()]
    more = len(named) - SHOWN_JOBS
    others = f" and {more} more" if more > 0 else ""
    return f"{'job' if len(named) == 1 else 'jobs'} {', '.join(named[:SHOWN_JOBS])}{others}"


def check_made(store: Path) -> None:
    """Say what became of the job that should have made a store; nothing if none was submitted.

    Raises:
        NotMadeError: a job was submitted; the message says its state, or how its log ends.
    """
    last = last_submission(store)
    if last is None:
        return
    states, log = last.states(), last.log()
    where = f"its log is {log}" if log else f"its log will be in {last.folder}"
    if states:
        cancel = f"'scancel --name={last.name}' cancels it"
        raise NotMadeError(f"{store}: not made yet; {listed(states)}; {where}; {cancel}.")
    if states is None:
        raise NotMadeError(
            f"{store}: not made yet; {last.who()} of {_when(last.time)}, of which squeue says "
            f"nothing here; {where}."
        )
    ends = "there is no log" if log is None else f"the log {log} ends: {_last_line(log)}"
    raise NotMadeError(
        f"{store}: there is no such store; {last.who()} of {_when(last.time)} ended; {ends}"
    )


def check_unwritten(store: Path) -> None:
    """Refuse to submit a store that is written, or that has jobs in the queue.

    Raises:
        SubmissionError: the message names the job or the process, and how to follow and to end it.
    """
    follow = f"follow it with '{shlex.join(['genprior', 'status', str(store)])}'"
    last = last_submission(store)
    states = last.states() if last else None
    if last and states:
        raise SubmissionError(
            f"{store}: {listed(states)} of an earlier submission; {follow}, or cancel it with "
            f"'scancel --name={last.name}' and submit again."
        )
    gone = last.jobs if last and states is not None else ()
    for run in running(store):
        job = run["job"].removeprefix(ON_SLURM) if run["job"].startswith(ON_SLURM) else ""
        if run["silent_seconds"] > SILENT or job.partition("_")[0] in gone:
            continue
        end = f"scancel {job}" if job else f"kill {run['process']}"
        raise SubmissionError(
            f"{store}: {_who(run)} writes it now; {follow}, or end it there ({end}) and submit "
            "again."
        )


def _who(run: Running) -> str:
    return ", ".join(filter(None, [f"process {run['process']} on {run['host']}", run["job"]]))


def _when(seconds: float) -> str:
    """Write a time of this machine's clock."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "?"


def _last_line(log: Path) -> str:
    """Give the last line of a log that says more than how to go on."""
    try:
        with log.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - LONGEST_END))
            lines = opened.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"({error.strerror})"
    said = (line.strip() for line in reversed(lines) if not line.startswith(TO_GO_ON))
    return next(filter(None, said), "(it is empty)")
