"""Other users of a machine can reach every port on loopback, and use nothing of a local run."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client
from helpers import ENVIRONMENT

from genprior.pipeline.executors import private
from genprior.pipeline.executors.local_cluster import local_workers
from genprior.pipeline.executors.opening import _client

# What a stranger tries: Dask's own messages that run a function, in plain text and with a
# certificate of the stranger's.
STRANGER = """
import asyncio, sys
from distributed.comm import connect
from distributed.protocol import to_serialize
from genprior.pipeline.executors.private import certified, no_encryption

address, victim = sys.argv[1], sys.argv[2]
own = certified().get_connection_args("client")
plain = no_encryption().get_connection_args("client")
bare = {**own, "ssl_context": __import__("ssl")._create_unverified_context()}

def harm(*arguments, **keywords):
    open(victim, "w").close()

async def attempt(url, security):
    comm = await connect(url, timeout=3, **security)
    for op in ("run", "run_function"):
        await comm.write({"op": op, "function": to_serialize(harm), "args": to_serialize(()),
                          "kwargs": to_serialize({}), "wait": True, "reply": True})
        return await asyncio.wait_for(comm.read(), 3)

async def main():
    place = address.partition("://")[2]
    for kind, security in (("tcp", plain), ("tls", own), ("tls", bare)):
        url = kind + "://" + place
        try:
            print(url, "ANSWERED", await attempt(url, security))
        except BaseException as error:
            print(url, "refused", type(error).__name__)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes, as a local run starts them."""
    with local_workers(2, print, lambda: None, processes=True) as started:
        yield started


def addresses(cluster: Any) -> list[str]:
    """The addresses of the scheduler, the nannies and the workers."""
    nannies = list(cluster.workers.values())
    servers = [cluster.scheduler, *nannies]
    return [*(server.address for server in servers), *(n.worker_address for n in nannies)]


def listening(pids: set[int]) -> list[Any]:
    """The addresses at which processes listen."""
    connections = [c for pid in pids for c in psutil.Process(pid).net_connections("inet")]
    return [c.laddr for c in connections if c.status == psutil.CONN_LISTEN]


@pytest.mark.slow
@pytest.mark.cluster
def test_a_stranger_without_the_certificate_runs_nothing(cluster: Any, tmp_path: Path) -> None:
    """Neither in plain text, nor with another certificate, nor with none."""
    victim = tmp_path / "harm"
    for address in addresses(cluster):
        tried = subprocess.run(
            [sys.executable, "-c", STRANGER, address, victim],
            env=ENVIRONMENT, capture_output=True, text=True, timeout=90, check=True,
        )  # fmt: skip
        assert [line.split()[1] for line in tried.stdout.splitlines()] == ["refused"] * 3
    assert not victim.exists()
    client = _client(cluster)
    try:
        client.submit(Path.touch, victim).result(30)  # with the certificate it would be there
    finally:
        client.close()
    assert victim.exists()


@pytest.mark.cluster
def test_a_stranger_with_a_client_of_dask_is_refused(cluster: Any) -> None:
    plain = cluster.scheduler.address.replace("tls://", "tcp://")
    for address, security in (
        (plain, private.no_encryption()),
        (cluster.scheduler.address, private.certified()),
    ):
        with (
            dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
            pytest.raises(OSError),  # noqa: PT011 - closed or timed out, as the versions have it
        ):
            Client(address, security=security, timeout=3, set_as_default=False)


@pytest.mark.cluster
def test_every_port_is_on_loopback_and_speaks_tls(cluster: Any) -> None:
    """One for the scheduler, one for each nanny and worker: no dashboard and no other page."""
    pids = {os.getpid(), *(nanny.pid for nanny in cluster.workers.values())}
    ours = {int(address.rpartition(":")[2]) for address in addresses(cluster)}
    ports = [place for place in listening(pids) if place.port in ours]
    assert len(ports) == len(ours) == 5
    assert {place.ip for place in ports} == {"127.0.0.1"}
    workers = listening(pids - {os.getpid()})
    assert {place.port for place in workers} < ours
    for place in ports:
        with socket.create_connection(("127.0.0.1", place.port), timeout=5) as plain:
            plain.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
            with suppress(ConnectionResetError):
                assert b"HTTP" not in plain.recv(100)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_how_many_ports_a_run_opens(tmp_path: Path, scheduler: str) -> None:
    """Threads communicate inside the process."""
    code = (
        "import sys, psutil\n"
        "from genprior.pipeline.executors.opening import open_executor\n"
        "def count(pid):\n"
        "    found = psutil.Process(pid).net_connections('inet')\n"
        "    return sum(c.status == psutil.CONN_LISTEN for c in found)\n"
        "with open_executor(sys.argv[1], 2) as executor:\n"
        "    me = psutil.Process()\n"
        "    print(count(me.pid), sum(count(child.pid) for child in me.children()))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, scheduler],
        env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert ended.stdout.split() == (["0", "0"] if scheduler == "threads" else ["3", "2"])


@pytest.mark.cluster
def test_settings_for_other_clusters_do_not_reach_a_local_one() -> None:
    """Certificates and ciphers of a batch system's cluster are not those of this run."""
    others = {
        "distributed.comm.tls.ca-file": "/nowhere/ca.pem",
        "distributed.comm.tls.worker.cert": "/nowhere/worker.pem",
        "distributed.comm.tls.ciphers": "no-such-cipher",
        "distributed.comm.tls.max-version": 1.2,
        "distributed.comm.require-encryption": True,
    }
    for processes in (True, False):
        with (
            dask.config.set(others),
            local_workers(1, print, lambda: None, processes=processes) as started,
        ):
            client = _client(started)
            assert client.submit(abs, -3).result(60) == 3
            client.close()


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    """Servers put their folder first on the path of modules."""
    name = f"genprior-{os.getuid()}"
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        assert Path(private.own_folder()) == tmp_path / name
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
        assert Path(private.own_folder()) == tmp_path / name
        (tmp_path / name).chmod(0o777)
        other = Path(private.own_folder())
        assert other != tmp_path / name
        assert stat.S_IMODE(other.stat().st_mode) == 0o700
        (tmp_path / name).rmdir()
        (tmp_path / name).symlink_to(tempfile.gettempdir())
        assert Path(private.own_folder()) not in (tmp_path / name, other)


@pytest.mark.cluster
def test_servers_write_into_a_folder_of_this_user_only(cluster: Any) -> None:
    def modes(dask_worker: Any) -> list[int]:
        return [stat.S_IMODE(os.stat(p).st_mode) for p in Path(dask_worker.local_directory).parents]

    client = _client(cluster)
    try:
        for above in client.run(modes).values():
            assert 0o700 in above
    finally:
        client.close()
