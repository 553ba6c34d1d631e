"""Workers of a Slurm job and of worker jobs: a folder of this user only, and no HTTP."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509
from distributed import Client, SpecCluster
from helpers import ENVIRONMENT, ended

from genprior.pipeline.executors import private
from genprior.pipeline.executors.certificates import write_temporary
from genprior.pipeline.executors.jobqueue import WORKER_MODULE, arguments
from genprior.pipeline.executors.opening import open_executor
from genprior.pipeline.executors.profiles import Profile


@pytest.fixture
def common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, in which somebody else has made that of Dask."""
    folder = tmp_path / "temporary"
    (folder / "dask-scratch-space").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    # Workers of other tests, which ran in this process, may have left their folders there.
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "dask-scratch" not in p])
    return folder


def described(dask_worker: Any) -> tuple[str, list[str], int]:
    """Give a server's folder, the path of modules, and the number of ports of its process."""
    found = psutil.Process().net_connections("inet")
    ports = {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}
    return str(dask_worker.local_directory), sys.path, len(ports)


def assert_private(client: Client, own: Path) -> None:
    """Workers and nannies use a folder of this user only, and listen for nothing but Dask."""
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    for nanny in (False, True):
        for folder, path, ports in client.run(described, nanny=nanny).values():
            assert Path(folder).is_relative_to(own)
            assert not any("dask-scratch" in p and not Path(p).is_relative_to(own) for p in path)
            assert ports == 1


@pytest.mark.slow
@pytest.mark.cluster
def test_workers_and_scheduler_of_a_slurm_job_are_private(job: Path, common: Path) -> None:
    before = {p.laddr for p in psutil.Process().net_connections("inet")}
    with open_executor("srun", 1) as executor:
        own = common / f"genprior-{os.getuid()}"
        assert_private(executor.client, own)
        scheduler = executor.client.cluster.scheduler
        assert Path(scheduler.local_directory).is_relative_to(own)
        found = psutil.Process().net_connections("inet")
        ports = [p for p in found if p.status == psutil.CONN_LISTEN and p.laddr not in before]
        assert [p.laddr.port for p in ports] == [scheduler.port]


@pytest.fixture
def scheduler(common: Path) -> Iterator[SpecCluster]:
    options = {"port": 0, "host": "127.0.0.1", "security": private.no_encryption()}
    spec = {"cls": private.PrivateScheduler, "options": options}
    with SpecCluster(scheduler=spec, security=private.no_encryption()) as cluster:
        yield cluster


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("given", ["", "$SCRATCH/mine"])
def test_workers_of_a_worker_job_are_private(
    scheduler: SpecCluster, common: Path, tmp_path: Path, given: str
) -> None:
    """Also in the folder that a profile names; the node expands it."""
    command = [sys.executable, "-m", WORKER_MODULE, scheduler.scheduler_address, "--nthreads", "1"]
    command += ["--memory-limit", "0"]
    if given:
        command += ["--local-directory", given]
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent)))
    environment = {
        **ENVIRONMENT, "TMPDIR": str(common), "SCRATCH": str(tmp_path), "PYTHONPATH": paths,
    }  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, text=True,
    )  # fmt: skip
    with ended(process), Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
        above = tmp_path / "mine" if given else common
        assert_private(client, above / f"genprior-{os.getuid()}")


def test_the_scheduler_of_worker_jobs_shows_no_page() -> None:
    """Also if the user's options ask for one."""
    profile = Profile(cluster="slurm", options={"scheduler_options": {"dashboard": True}})
    asked = arguments(profile, 10**9, "/f", None)
    assert asked["scheduler_cls"] is private.PrivateScheduler
    assert asked["scheduler_options"] == {"dashboard": False}


def test_certificates_are_valid_on_nodes_whose_clocks_are_wrong(tmp_path: Path) -> None:
    certificates = write_temporary(tmp_path)
    read = x509.load_pem_x509_certificate(Path(certificates.cert).read_bytes())
    year, now = timedelta(days=365), datetime.now(UTC)
    assert read.not_valid_before_utc < now - year
    assert read.not_valid_after_utc > now + year
