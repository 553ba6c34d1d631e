"""One job of a real Slurm holds scheduler, client and workers, and computes what a run computes."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed.comm import connect
from distributed.security import Security
from helpers import assert_same_results
from private_slurm import NODES
from slurm_site import Site


def processes(site: Site, words: str, node: str | None = None) -> Iterator[psutil.Process]:
    """Find the processes of jobs, of one node or of all, whose commands contain some words."""
    for process in site.slurm.processes(node):
        if words in " ".join(process.cmdline()):
            yield process


def test_a_job_on_three_nodes_runs_to_its_end_and_status_follows_it(
    site: Site, reference: Path
) -> None:
    (job,) = site.submit("--tasks=3", "--nodes=3")
    site.wait_for_blocks()
    assert all(any(processes(site, "spawn_main", node)) for node in NODES)
    assert 0 < site.trials()["done"] < 48
    assert site.slurm.wait(job) == "COMPLETED", site.log()
    assert site.trials()["done"] == 48
    assert_same_results(site.store, reference)


def test_strangers_cannot_join_the_scheduler_of_a_job(site: Site) -> None:
    """Neither without a certificate, nor with one of their own."""
    (job,) = site.submit("--tasks=2")
    site.wait_for_blocks()
    (run,) = processes(site, "-m genprior run")
    ports = {c.laddr.port for c in run.net_connections() if c.status == psutil.CONN_LISTEN}
    assert ports
    for port in ports:
        for scheme, security in (("tcp", Security()), ("tls", Security.temporary())):
            encryption = security.get_connection_args("client")
            with pytest.raises((OSError, TimeoutError)):
                asyncio.run(_greet(f"{scheme}://127.0.0.1:{port}", encryption))
    secrets = ("PRIVATE KEY", "BEGIN CERTIFICATE")
    for process in site.slurm.processes():
        told = " ".join([*process.cmdline(), *process.environ().values()])
        assert not any(secret in told for secret in secrets)
    site.slurm.call("scancel", job)


async def _greet(address: str, encryption: dict[str, object]) -> None:
    comm = await connect(address, timeout=5, **encryption)
    await comm.write({"op": "identity"})
    await comm.read()


@pytest.mark.parametrize("words", ["spawn_main", "srun_worker", "srun --ntasks"])
def test_workers_that_die_are_started_again(site: Site, reference: Path, words: str) -> None:
    """A worker by its own task; the tasks by the run, alone or because srun died."""
    (job,) = site.submit("--tasks=2")
    site.wait_for_blocks()
    for process in list(processes(site, words)):
        os.kill(process.pid, signal.SIGKILL)
    assert site.slurm.wait(job) == "COMPLETED", site.log()
    assert_same_results(site.store, reference)


def test_a_node_that_crashes_costs_nothing_but_time(site: Site, reference: Path) -> None:
    (job,) = site.submit("--tasks=3", "--nodes=3")
    site.wait_for_blocks()
    run = next(processes(site, "-m genprior run")).environ()["SLURMD_NODENAME"]
    crashed = next(node for node in NODES if node != run)
    try:
        site.slurm.crash(crashed)
        assert site.slurm.wait(job) == "COMPLETED", site.log()
    finally:
        site.slurm.power_on(crashed)
    assert_same_results(site.store, reference)
