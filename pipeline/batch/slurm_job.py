"""A job of Slurm that runs a sweep in its own allocation: its script, and how it is submitted."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from shutil import which

from ...sweeps import UserError
from ...sweeps.errors import shown
from ..executors.allocation import CLIENT_BYTES, MEBIBYTE, NANNY_BYTES, NO_TLS
from ..executors.errors import reason
from ..executors.memory import WORKER_BYTES
from ..executors.profiles import Profile, memory_bytes, system_walltime
from ..executors.schedulers import SRUN

SBATCH = "sbatch"
SUBMIT_TIMEOUT = 60.0
# Seconds before the wall time ends at which Slurm signals a job: the most, and as a share of it.
WARNING, SHARE = 60, 4
HEAD = "#SBATCH "
TO_GO_ON = "To go on, repeat on a login node: "


class JobError(UserError):
    """A job that cannot be written as a script, or a machine that has no Slurm."""

    exit_status = 2


class SubmissionError(UserError):
    """Slurm refused a job."""


@dataclass(frozen=True)
class SlurmJob:
    """A job that runs a sweep into a store.

    Attributes:
        name: its name in the queue; all jobs of a chain have it, and no others.
        folder: where its script and its log are.
        profile: what it asks for, besides what follows.
        arguments: the arguments of `genprior run`.
        seconds: its wall time.
        core_bytes: memory for each core.
        tasks: number of workers; of each element if it is an array.
        nodes: number of nodes; chosen by Slurm if None.
        array: number of elements; 0 if it is not an array.
        chain: number of jobs that follow each other.
        again: the arguments of the `genprior submit` that continues when it did not complete.
    """

    name: str
    folder: Path
    profile: Profile
    arguments: tuple[str, ...]
    seconds: int
    core_bytes: int
    tasks: int = 1
    nodes: int | None = None
    array: int = 0
    chain: int = 1
    again: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file of the script."""
        return self.folder / f"{self.name}.sh"

    def log(self, job: str) -> Path:
        """Give the file of the log of a job; of an array, with `*` for the element."""
        return self.folder / f"{self.name}-{job}{'_*' if self.array else ''}.log"

    @property
    def warning(self) -> int:
        """Seconds before the end of the wall time at which Slurm sends SIGTERM."""
        return min(WARNING, self.seconds // SHARE)

    @property
    def grace(self) -> int:
        """Seconds that running trials may go on after it; the rest is for writing and ending."""
        return 2 * self.warning // 3

    def script(self) -> str:
        """Write the job script.

        Raises:
            JobError: a path or an option cannot stand in a script.
        """
        head = [f"{HEAD}{line}" for line in self._head()]
        kept = [line for line in head if not any(text in line for text in self.profile.skip)]
        return "\n".join(["#!/bin/bash", *kept, "", *self._body(), ""])

    def _head(self) -> Iterator[str]:
        profile = self.profile
        yield f"--job-name={self.name}"
        log = f"{self.name}-{'%A_%a' if self.array else '%j'}.log"
        yield f"--output={_quoted(str(self.folder).replace('%', '%%'))}/{log}"
        yield "--open-mode=append"
        if self.array:
            yield f"--array=1-{self.array}"
            yield "--nodes=1"
            yield "--ntasks=1"
            yield f"--cpus-per-task={self.tasks}"
        else:
            if self.nodes is not None:
                yield f"--nodes={self.nodes}"
            yield f"--ntasks={self.tasks}"
            yield "--cpus-per-task=1"
            if self.tasks > 1:
                # The workers of other nodes go on when a node fails.
                yield "--no-kill"
        yield f"--mem-per-cpu={mebibytes(self.core_bytes)}M"
        yield f"--time={system_walltime('slurm', self.seconds)}"
        yield f"--signal=B:TERM@{self.warning}"
        yield "--requeue" if profile.requeue else "--no-requeue"
        if profile.queue is not None:
            yield f"--partition={_quoted(profile.queue)}"
        if profile.account is not None:
            yield f"--account={_quoted(profile.account)}"
        yield from profile.directives

    def _body(self) -> Iterator[str]:
        yield from self.profile.prologue
        if self.profile.interface is not None:
            yield f"export DASK_JOBQUEUE__SLURM__INTERFACE={shlex.quote(self.profile.interface)}"
        if self.profile.local_directory is not None:
            yield f"export DASK_TEMPORARY_DIRECTORY={shlex.quote(self.profile.local_directory)}"
        yield "# Slurm signals this shell alone before the wall time ends; the run has to know it."
        yield "# One that comes before the run has a number is passed on once it has."
        yield "run= early="
        yield 'passed_on() { if [ "$run" ]; then kill -TERM "$run"; else early=1; fi; }'
        yield "trap passed_on TERM"
        yield f"{self._command()} &"
        yield "run=$!"
        yield '[ -z "$early" ] || kill -TERM "$run"'
        yield "# A signal ends `wait` early; the last one gives the status of the run."
        yield 'while kill -0 "$run" 2>/dev/null; do wait "$run"; done'
        yield 'wait "$run"'
        yield "status=$?"
        yield "# Complete, or a command that cannot be right: nothing follows."
        yield "case $status in"
        if self.chain > 1 and not self.array:
            yield f"    0|2) scancel --quiet --state=PENDING --name={self.name} ;;"
        else:
            yield "    0|2) ;;"
        again = shlex.quote(TO_GO_ON + shlex.join(["genprior", "submit", *self.again]))
        pending = f"squeue --noheader --states=PENDING --name={self.name} 2>/dev/null | grep -q ."
        yield f"    *) {f'{pending} || ' if self.chain > 1 else ''}echo {again} ;;"
        yield "esac"
        yield "exit $status"

    def _command(self) -> str:
        python = self.profile.python or sys.executable
        grace = f"--grace={self.grace}"
        command = [python, "-P", "-m", "genprior", "run", *self.arguments, grace]
        for word in command:
            if not word.isprintable():
                raise JobError(f"{shown(word)}: a job script holds printable text only.")
        if not self.array:
            return shlex.join([*command, "--scheduler", SRUN])
        part = f'"$SLURM_ARRAY_TASK_ID/{self.array}"'
        return f"{shlex.join([*command, '--workers', str(self.tasks)])} --part {part}"


def core_bytes(profile: Profile, trial_bytes: int) -> int:
    """Give the memory of a core: what the profile says, or what a trial needs with its worker.

    Each core gets the share of scheduler and client as well, because any may be on their node.

    Args:
        profile: the profile.
        trial_bytes: memory of the largest trial, as `plan` estimates it.
    """
    if profile.memory is not None:
        return memory_bytes(profile.memory) // profile.cores
    return int(CLIENT_BYTES + NANNY_BYTES + 2 * WORKER_BYTES) + trial_bytes


def mebibytes(core: int) -> int:
    """Give the memory of a core as the job asks for it."""
    return ceil(core / MEBIBYTE)


def check_slurm(job: SlurmJob) -> None:
    """Refuse a machine without Slurm, and a Python whose workers could not be reached.

    Raises:
        JobError: there is no `sbatch`, or a package is missing.
    """
    if not job.array and job.profile.python is None and find_spec("cryptography") is None:
        raise JobError(NO_TLS)
    if which(SBATCH) is None:
        raise JobError(
            "no sbatch on this machine: submit needs a login node of a Slurm cluster. See the "
            "script with --dry-run."
        )


def submit(job: SlurmJob, note: Callable[[list[str]], None]) -> list[str]:
    """Write the script of a job, and submit it; of a chain, each job after the one before it.

    Args:
        job: the job.
        note: called after each job with the ids of those that are in the queue.

    Returns:
        The ids of the jobs.

    Raises:
        JobError: the script cannot be written.
        SubmissionError: Slurm refuses a job; the message has its words.
    """
    text = job.script()
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        job.path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(f"{job.path}: the job script cannot be written: {error.strerror}.") from None
    ids: list[str] = []
    while len(ids) < job.chain:
        after = [f"--dependency=afterany:{ids[-1]}"] if ids else []
        ids.append(_submit([SBATCH, "--parsable", *after, str(job.path)], ids))
        note(ids)
    return ids


def _submit(command: list[str], before: list[str]) -> str:
    """Submit one job, and give its id; the jobs before it stay in the queue if it is refused."""
    stays = f" Job {', '.join(before)} stays in the queue." if before else ""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=SUBMIT_TIMEOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SubmissionError(f"sbatch failed: {reason(error)}.{stays}") from None
    job = done.stdout.strip().split(";")[0]
    if done.returncode or not job:
        lines = (line.removeprefix("sbatch: error: ") for line in done.stderr.splitlines())
        said = "; ".join(" ".join(line.split()).rstrip(".") for line in lines if line.strip())
        said = said.replace("Batch job submission failed: ", "")
        raise SubmissionError(f"Slurm refuses the job: {said or 'it does not say why'}.{stays}")
    return job


def _quoted(text: str) -> str:
    """Quote a text in the head of a script, which Slurm reads itself.

    Raises:
        JobError: the text cannot be written there.
    """
    if re.fullmatch(r"[\w./%+=:@,-]*", text, re.ASCII):
        return text
    if not text.isprintable() or '"' in text or "\\" in text:
        raise JobError(f"{shown(text)}: the head of a job script cannot hold this name.")
    return f'"{text}"'
