"""One job of a real Slurm holds scheduler, client and workers, and computes what a run computes."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from distributed.comm import connect
from distributed.security import Security
from helpers import assert_names, assert_same_results
from private_slurm import NODES
from slurm_site import Site

WORKER, TASK, STEP, RUN = "spawn_main", "srun_worker", "srun --ntasks", "-m genprior run"


def processes(site: Site, words: str, node: str | None = None) -> Iterator[psutil.Process]:
    """Find the processes of jobs, of one node or of all, whose commands contain some words."""
    for process in site.slurm.processes(node):
        if words in " ".join(process.cmdline()):
            yield process


def kill(site: Site, words: str) -> None:
    killed = list(processes(site, words))
    assert killed
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)


def test_a_job_on_three_nodes_survives_one_of_them_and_status_follows_it(
    paced_site: Callable[[float], Site], reference: Path
) -> None:
    """The node of the run itself must stay."""
    site = paced_site(1.0)
    (job,) = site.submit("--tasks=3", "--nodes=3")
    site.wait_for_blocks()
    site.slurm.until(
        lambda: all(any(processes(site, WORKER, node)) for node in NODES), 60, "workers are missing"
    )
    status = site.status()
    assert 0 < status["trials"]["done"] < 48
    (alive,) = status["runs"]
    assert alive["workers"] == 3
    assert job in alive["job"]
    run = next(processes(site, RUN)).environ()["SLURMD_NODENAME"]
    crashed = next(node for node in NODES if node != run)
    try:
        site.slurm.crash(crashed)
        assert site.slurm.wait(job) == "COMPLETED", site.log()
    finally:
        site.slurm.power_on(crashed)
    status = site.status()
    assert (status["trials"]["done"], status["runs"]) == (48, [])
    assert_same_results(site.store, reference)


def test_workers_that_die_are_started_again(site: Site, reference: Path) -> None:
    """A worker by its own task, and the tasks by the run."""
    (job,) = site.submit("--tasks=2")
    site.wait_for_blocks(1)
    kill(site, WORKER)
    site.wait_for_blocks(4)
    kill(site, STEP)
    assert site.slurm.wait(job) == "COMPLETED", site.log()
    assert "starting them again" in site.log()
    assert_same_results(site.store, reference)


def test_a_job_keeps_others_out_and_leaves_a_store_that_resumes_when_it_is_cancelled(
    paced_site: Callable[[float], Site], reference: Path
) -> None:
    site = paced_site(4.0)
    (job,) = site.submit("--tasks=2")
    site.wait_for_blocks()
    (run,) = processes(site, RUN)
    said = site.genprior("run", site.sweep, site.store, "--workers=1", status=1)
    assert_names(said, run.pid, os.uname().nodename)
    check_strangers(site, run)
    site.slurm.call("scancel", job)
    assert site.slurm.wait(job) == "CANCELLED"
    # It ended by itself, before Slurm killed it.
    assert "interrupted" in site.log()
    kept = site.trials()["done"]
    assert 0 < kept < 48
    site.at_once.genprior("run", site.sweep, site.store, "--scheduler=synchronous")
    assert_same_results(site.store, reference)


def check_strangers(site: Site, run: psutil.Process) -> None:
    """Nobody joins without a certificate, or with one of their own; and no key is to be seen."""
    listening = [c for c in run.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening
    for connection in listening:
        for scheme, security in (("tcp", Security()), ("tls", Security.temporary())):
            encryption = security.get_connection_args("client")
            with pytest.raises((OSError, TimeoutError)):
                asyncio.run(_greet(f"{scheme}://127.0.0.1:{connection.laddr.port}", encryption))
    for process in site.slurm.processes():
        told = " ".join([*process.cmdline(), *process.environ().values()])
        assert "PRIVATE KEY" not in told
    readable = [file for file in site.folder.rglob("*") if file.is_file()]
    assert not any(b"PRIVATE KEY" in file.read_bytes() for file in readable)


async def _greet(address: str, encryption: dict[str, object]) -> None:
    async with asyncio.timeout(3):
        comm = await connect(address, **encryption)
        await comm.write({"op": "identity"})
        await comm.read()
