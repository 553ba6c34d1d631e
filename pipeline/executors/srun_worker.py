"""A worker in one task of a Slurm job: `python -m genprior.pipeline.executors.srun_worker`.

Its standard input says, in JSON, where the scheduler is and with which certificate to join it.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

from ..interrupts import SIGNALS
from .errors import reason

JOIN_TIMEOUT = 120.0  # seconds


def main() -> int:
    """Run a worker until the scheduler ends; it is started again if it dies.

    Returns:
        The exit status: 0, or 1 if it could not join.
    """
    contact = json.load(sys.stdin)
    # Slurm sends its signals to all processes of a job. The run decides when its workers end.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    sys.path[:] = contact["path"]
    try:
        asyncio.run(_work(contact))
    except Exception as error:
        print(f"a worker on {_node()} cannot join: {reason(error)}", file=sys.stderr)
        return 1
    return 0


async def _work(contact: dict[str, Any]) -> None:
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "critical"  # read when it is imported, here and in
    # the process that the nanny starts
    from distributed import Nanny

    from .local_cluster import our_configuration
    from .private import PrivateWorker, holding, own_folder

    with our_configuration():
        async with Nanny(
            contact["address"],
            nthreads=1,
            name=_name(),
            security=holding(contact["certificate"], contact["key"]),
            protocol="tls://",
            interface=contact["interface"],
            host=contact["host"],
            # With a limit, Dask would pause workers forever: it cannot move their memory to disk.
            memory_limit=None,
            worker_class=PrivateWorker,
            local_directory=own_folder(),
            death_timeout=JOIN_TIMEOUT,
        ) as nanny:
            await nanny.finished()


def _name() -> str:
    """Name this worker; the one that it replaces may still be known, and names are unique."""
    step, task = os.environ.get("SLURM_STEP_ID", ""), os.environ.get("SLURM_PROCID", "")
    return f"{_node()}-{step}.{task}-{os.getpid()}"


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME", "this node")


if __name__ == "__main__":
    sys.exit(main())
