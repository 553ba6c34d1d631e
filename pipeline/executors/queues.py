"""What a batch system says about the jobs of this user."""

import asyncio
import os
from contextlib import suppress

ASKED = ("slurm",)  # the batch systems that are asked
ANSWER_TIMEOUT = 20.0
SQUEUE = ("squeue", "--noheader", "--format=%i|%T|%r")
ENDING = ("COMPLETING", "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED",
          "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY")  # fmt: skip


async def queue_states(system: str) -> dict[str, str] | None:
    """Ask which jobs of this user are waiting or running.

    Args:
        system: the batch system; only Slurm is asked.

    Returns:
        State and reason by job id, such as `PENDING (Resources)`. A job that has ended is not among
        them. None if the batch system does not answer.
    """
    if system not in ASKED:
        return None
    said = await _output((*SQUEUE, f"--user={os.getuid()}"))
    return None if said is None else states_in(said)


def states_in(said: str) -> dict[str, str]:
    """Read what `SQUEUE` prints: state and reason by id of each job that has not ended."""
    states = {}
    for line in sorted(said.splitlines()):
        job, state, reason = (*line.strip().split("|", 2), "", "")[:3]
        if state and state not in ENDING:
            states[job] = state if reason in ("", "None") else f"{state} ({reason})"
    return states


async def _output(command: tuple[str, ...]) -> str | None:
    """Give what a command prints; None if it fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        said, _ = await asyncio.wait_for(process.communicate(), ANSWER_TIMEOUT)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        return None
    return said.decode(errors="replace") if process.returncode == 0 else None
