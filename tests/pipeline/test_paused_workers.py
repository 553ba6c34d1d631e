"""Workers that Dask pauses because of their memory: waited for a moment, then refused."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster, Worker
from helpers import recovery_sweep, results, wait_until

import genprior as gp
from genprior.pipeline.executors.distributed import Distributed


def _limit_memory(bytes_: int, worker: Worker) -> None:
    worker.memory_manager.memory_limit = bytes_


@pytest.fixture
def paused() -> Iterator[tuple[Client, Worker]]:
    """A client whose only worker is paused: it holds more than the one byte that it may hold.

    What the client itself remembers of the scheduler is without workers nearly always.
    """
    with (
        dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False,
                     memory_limit="1TB", dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        (worker,) = cluster.workers.values()
        _limit_memory(1, worker)
        wait_until(Distributed(client, local=False, counts_deaths=False).paused)
        yield client, worker


@pytest.mark.cluster
def test_workers_are_known_at_every_moment(paused: tuple[Client, Worker]) -> None:
    executor = Distributed(paused[0], local=False, counts_deaths=False)
    for _ in range(200):
        assert executor.paused()
        assert executor.memory < float("inf")


@pytest.mark.cluster
def test_workers_that_stay_paused_are_refused(paused: tuple[Client, Worker], store: Path) -> None:
    began = time.monotonic()
    with pytest.raises(gp.UserError, match=r"client: Dask has paused all workers.*--memory-limit"):
        gp.run(recovery_sweep("trials=1"), store, client=paused[0], progress=False)
    assert time.monotonic() - began >= 5  # seconds in which others' tasks may end
    assert not store.exists()


@pytest.mark.cluster
def test_workers_that_were_paused_for_a_moment_are_used(
    paused: tuple[Client, Worker], store: Path
) -> None:
    client, worker = paused
    resume = threading.Timer(1, _limit_memory, (2**40, worker))
    resume.start()
    gp.run(recovery_sweep("trials=1"), store, client=client, progress=False)
    resume.join()
    assert (results(store).status == 1).all()
