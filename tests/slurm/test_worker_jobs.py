"""`run --cluster slurm` on a real Slurm: each worker is a job, and the command waits for them."""

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from distributed.comm import connect
from distributed.security import Security
from helpers import GENPRIOR, assert_names, assert_same_results, ended
from private_slurm import NODES
from slurm_site import Site

CTRL_C = signal.SIGINT


def jobs(site: Site, *states: str) -> dict[str, str]:
    """Give the nodes of this Slurm's jobs by id, those in some states or all."""
    asked = [f"--states={','.join(states)}"] if states else []
    lines = site.slurm.call("squeue", "--noheader", "--format=%i %N", *asked).splitlines()
    return {job: node for job, _, node in (line.strip().partition(" ") for line in lines)}


@contextmanager
def running(site: Site, *options: object) -> Iterator[subprocess.Popen[str]]:
    """Start the run in worker jobs, three unless the options say it."""
    many = () if "--jobs" in options else ("--jobs", 3)
    command = [GENPRIOR, "run", site.sweep, site.store, "--profile", site.profile, *many, *options]
    process = subprocess.Popen(
        list(map(str, command)), env=site.variables, cwd=site.folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(CTRL_C, signal.default_int_handler),
    )  # fmt: skip
    with ended(process):
        yield process


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for the end of a run, and give what it told."""
    out, told = process.communicate(timeout=180)
    assert process.returncode == status, out + told
    return told


def leftovers(site: Site) -> list[Path]:
    """Folders that runs made for their own use, with certificates."""
    return list(site.folder.glob(".tiny.zarr.jobs.*"))


def test_three_worker_jobs_on_three_nodes_run_to_the_end(site: Site, reference: Path) -> None:
    with running(site) as run:
        site.wait_for_blocks()
        site.slurm.until(lambda: len(jobs(site, "RUNNING")) == 3, 60, "not all jobs run")
        assert set(jobs(site).values()) == set(NODES)
        (own,) = leftovers(site)
        assert own.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in own.glob("*.pem")} == {0o600}
        finish(run)
    assert_same_results(site.store, reference)
    assert leftovers(site) == []
    site.slurm.until(lambda: not jobs(site), 30, "jobs are left")


def test_a_cancelled_worker_job_is_replaced(site: Site, reference: Path) -> None:
    with running(site) as run:
        site.wait_for_blocks()
        before = jobs(site)
        cancelled = next(iter(jobs(site, "RUNNING")))
        site.slurm.call("scancel", cancelled)
        site.slurm.until(lambda: set(jobs(site)) - set(before), 60, "no job was submitted")
        assert_names(finish(run), f"worker job {cancelled} has ended")
    assert_same_results(site.store, reference)


def test_a_node_that_crashes_costs_nothing_but_time(site: Site, reference: Path) -> None:
    with running(site) as run:
        site.wait_for_blocks()
        node = next(iter(jobs(site, "RUNNING").values()))
        try:
            site.slurm.crash(node)
            finish(run)
        finally:
            site.slurm.power_on(node)
    assert_same_results(site.store, reference)


def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(site: Site, reference: Path) -> None:
    with running(site) as run:
        site.wait_for_blocks()
        run.send_signal(CTRL_C)
        finish(run, status=3)
    site.slurm.until(lambda: not jobs(site), 30, "jobs are left")
    assert leftovers(site) == []
    assert 0 < site.trials()["done"] < 48
    with running(site.at_once) as run:
        finish(run)
    assert_same_results(site.store, reference)


def test_ctrl_c_ends_the_wait_for_a_queue_at_once(site: Site) -> None:
    """No node has so much memory that is free: the job waits in the queue for ever."""
    site.profile.write_text(site.profile.read_text() + "memory = '5 GB'\ncores = 4\n")
    blocker = site.slurm.call(
        "sbatch", "--parsable", "-N3", "--mem=6000", "-o", "/dev/null", "--wrap", "sleep 100"
    )
    site.slurm.until(lambda: site.slurm.state(blocker) == "RUNNING", 60, "nothing runs")
    with running(site, "--jobs", 1) as run:
        site.slurm.until(lambda: len(jobs(site)) == 2, 60, "no job was submitted")
        run.send_signal(CTRL_C)
        told = finish(run, status=3)
    assert_names(told, "stopping")
    site.slurm.until(lambda: set(jobs(site)) == {blocker}, 30, "the job is still in the queue")
    assert not site.store.exists()


def test_the_jobs_of_a_killed_command_end_by_themselves(site: Site) -> None:
    with running(site) as run:
        site.wait_for_blocks()
        run.kill()
        run.wait(10)
    site.slurm.until(lambda: not jobs(site), 90, "jobs are left")


def test_jobs_without_work_are_given_back(paced_site: Callable[..., Site]) -> None:
    """One block of four trials keeps one worker busy, and two have none."""
    site = paced_site(8)
    with running(site, "--set", "k=2", "--set", "m=3") as run:
        site.slurm.until(lambda: len(jobs(site, "RUNNING")) == 3, 60, "not all jobs run")
        site.slurm.until(lambda: len(jobs(site)) == 1, 60, "no job was given back")
        finish(run)


@pytest.mark.parametrize(
    ("key", "said"),
    [("queue = 'nowhere'", "invalid partition"), ("python = '/nowhere/python'", "/nowhere/python")],
)
def test_jobs_that_cannot_start_end_the_run_with_the_reason(
    site: Site, key: str, said: str
) -> None:
    site.profile.write_text(f"{site.profile.read_text()}{key}\n")
    with running(site, "--jobs", 1) as run:
        last = finish(run, status=1).strip().splitlines()[-1]
    assert_names(last, "genprior: --cluster slurm", said)
    assert (jobs(site), leftovers(site), site.store.exists()) == ({}, [], False)


def test_strangers_reach_neither_the_scheduler_nor_its_key(site: Site) -> None:
    """Neither without a certificate, nor with a valid one of their own."""
    with running(site) as run:
        site.wait_for_blocks()
        ours = [psutil.Process(run.pid), *site.slurm.processes()]
        sockets = [found for process in ours for found in process.net_connections()]
        ports = {s.laddr.port for s in sockets if s.status == psutil.CONN_LISTEN}
        assert ports
        answers = asyncio.run(_greet_all(ports))
        assert all(isinstance(answer, OSError | TimeoutError) for answer in answers), answers
        for process in site.slurm.processes():
            assert "PRIVATE KEY" not in " ".join([*process.cmdline(), *process.environ().values()])
        finish(run)


async def _greet_all(ports: Iterable[int]) -> list[object]:
    """Ask every port who it is, as strangers; a port that does not answer in time refuses."""
    greetings = [
        asyncio.wait_for(_greet(f"{scheme}://127.0.0.1:{port}", security), 10)
        for port in ports
        for scheme, security in (("tcp", Security()), ("tls", Security.temporary()))
    ]
    return list(await asyncio.gather(*greetings, return_exceptions=True))


async def _greet(address: str, security: Security) -> object:
    comm = await connect(address, timeout=5, **security.get_connection_args("client"))
    await comm.write({"op": "identity"})
    return await comm.read()
