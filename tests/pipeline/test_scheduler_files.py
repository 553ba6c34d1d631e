"""Running schedulers: named by their files, and protected by certificates."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import pytest
from click.testing import Result
from distributed import Client, Worker
from distributed.comm import connect
from distributed.security import Security
from helpers import assert_names, assert_same_results, dask_cluster, recovery_sweep, refused

from genprior.pipeline import run_sweep
from genprior.pipeline.executors.addresses import address_of
from genprior.pipeline.executors.certificates import Certificates, write_temporary
from genprior.pipeline.executors.errors import SchedulerError
from genprior.pipeline.executors.opening import open_executor


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of the cluster."""
    return write_temporary(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of a stranger, as valid as ours."""
    return write_temporary(tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, ours: Certificates) -> Iterator[Path]:
    """The scheduler file of a cluster with TLS; its worker is in another folder than the tests."""
    folder = tmp_path_factory.mktemp("encrypted")
    files = {"tls-ca-file": ours.ca, "tls-cert": ours.cert, "tls-key": ours.key}
    security = ["--protocol=tls", *(f"--{name}={path}" for name, path in files.items())]
    with dask_cluster(folder, (sys.executable,), *security):
        yield folder / "scheduler.json"


def options(given: Certificates) -> list[object]:
    return ["--tls-ca", given.ca, "--tls-cert", given.cert, "--tls-key", given.key]


@pytest.mark.slow
@pytest.mark.cluster
def test_a_scheduler_file_and_the_right_certificates_give_the_results_of_one_process(
    recovered: Path, encrypted: Path, ours: Certificates, store: Path, monkeypatch: Any
) -> None:
    """Both paths are relative to this folder, and the worker is in another one."""
    monkeypatch.chdir(store.parent)
    file = os.path.relpath(encrypted, store.parent)
    with open_executor(file, certificates=ours) as executor:
        run_sweep(recovery_sweep(), Path(store.name), executor)
    assert_same_results(store, recovered)


@pytest.mark.cluster
def test_certificates_may_come_from_dask_s_configuration(
    encrypted: Path, ours: Certificates
) -> None:
    named = {"ca-file": ours.ca, "client.cert": ours.cert, "client.key": ours.key}
    with (
        dask.config.set({f"distributed.comm.tls.{key}": path for key, path in named.items()}),
        open_executor(str(encrypted)) as executor,
    ):
        assert executor.workers == 2


@pytest.mark.cluster
def test_a_file_of_a_scheduler_without_tls_is_enough(cluster: str, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(f'{{"type": "Scheduler", "address": "{cluster}"}}')
    with open_executor(str(file)) as executor:
        assert executor.workers == 2


@pytest.mark.cluster
def test_wrong_certificates_are_told_in_one_line_with_status_2(
    encrypted: Path,
    cluster: str,
    ours: Certificates,
    theirs: Certificates,
    genprior: Callable[..., Result],
    store: Path,
) -> None:
    address = address_of(str(encrypted))
    plain = address.replace("tls://", "tcp://")
    mixed = Certificates(ours.ca, theirs.cert, theirs.key)
    for scheduler, given, *named in (
        (address, [], "--tls-ca"),
        (address, options(theirs), "certificates"),
        (address, options(mixed), "certificates"),
        (plain, [], "tls://"),
        (plain.removeprefix("tcp://"), [], "tls://"),
        (plain, options(ours), "tls://", "--tls-ca"),
        (cluster.replace("tcp://", "tls://"), options(ours), "tcp://"),
    ):
        ended = genprior("run", "quickstart", store, "--scheduler", scheduler, *given)
        last = ended.stderr.strip().splitlines()[-1]
        assert (ended.exit_code, ended.stdout) == (2, ""), ended.stderr
        assert_names(last, "genprior: ", scheduler, *named)
    assert not store.exists()


@pytest.mark.cluster
def test_strangers_can_neither_talk_to_scheduler_and_workers_nor_run_anything(
    encrypted: Path, ours: Certificates, theirs: Certificates, tmp_path: Path
) -> None:
    """Neither without a certificate nor with a valid one of their own; the owner can."""
    address = address_of(str(encrypted))
    with Client(address, security=ours.security(), set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        (worker,) = client.nthreads()
        assert client.submit(os.getpid).result() != os.getpid()
        for place in (address, worker):
            for given in (Security(), theirs.security(), Security.temporary()):
                scheme = "tls" if given.tls_ca_file else "tcp"
                stranger = place.replace("tls://", f"{scheme}://")
                with pytest.raises((OSError, TimeoutError)):
                    asyncio.run(asyncio.wait_for(_greet(stranger, given), 5))
        marker = tmp_path / "marker"
        with pytest.raises((OSError, TimeoutError)):
            Client(address, security=theirs.security(), timeout=3).run(marker.touch)
        assert not marker.exists()
        client.run(marker.touch)
        assert marker.exists()


async def _greet(address: str, security: Security) -> None:
    comm = await connect(address, timeout=3, **security.get_connection_args("client"))
    await comm.write({"op": "identity"})
    await comm.read()


@pytest.mark.slow
@pytest.mark.cluster
def test_the_worker_of_a_stranger_does_not_join(
    encrypted: Path, ours: Certificates, theirs: Certificates
) -> None:
    address = address_of(str(encrypted))

    async def join(security: Security) -> int:
        worker = Worker(
            address, security=security, death_timeout=5, dashboard_address="127.0.0.1:0"
        )
        with suppress(Exception):
            await asyncio.wait_for(worker, 10)
        async with Client(address, security=ours.security(), asynchronous=True) as client:
            joined = len((await client.scheduler.identity())["workers"])
        await worker.close()
        return joined

    assert asyncio.run(join(theirs.security())) == 1
    assert asyncio.run(join(ours.security())) == 2


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "5", '"tcp://127.0.0.1:1"', '{"address": 5}', '{"addres": "x"}',
        '{"address": ""}', '{"address": "inproc://1/2/3"}', '{"address": "/etc/passwd"}',
        '{"address": "tcp://127.0.0.1:1\\n--x"}', '{"address": "ucx://127.0.0.1:1"}',
        '{"address": "tcp://127.0.0.1:99999999"}', "[" * 100_000, '{"address": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_file_without_an_address_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(text)
    with refused(SchedulerError, file, "address"):
        address_of(str(file))


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\x80\x04\x95\xff")
    with (tmp_path / "long.json").open("wb") as long:
        long.truncate(10_000_000_000)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("missing", "bytes", "long", "folder", "pipe"):
        with refused(SchedulerError, f"{name}.json"):
            address_of(str(tmp_path / f"{name}.json"))


def test_what_is_neither_a_name_nor_an_address_nor_a_file_is_refused() -> None:
    with refused(SchedulerError, "thread", "threads", "scheduler file"):
        address_of("thread")
    assert address_of("127.0.0.1:8786") == "127.0.0.1:8786"
    assert address_of("tls://host:8786") == "tls://host:8786"


@pytest.mark.parametrize("part", ["ca", "cert", "key"])
def test_files_that_are_no_certificates_are_refused_by_option(
    tmp_path: Path,
    ours: Certificates,
    theirs: Certificates,
    genprior: Callable[..., Result],
    store: Path,
    part: str,
) -> None:
    """Missing, empty, of another kind, or of somebody else."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    wrong = [tmp_path / "missing.pem", empty, tmp_path, ours.key if part != "key" else ours.cert]
    for path in [*wrong, *([] if part == "ca" else [getattr(theirs, part)])]:
        given = options(ours._replace(**{part: str(path)}))
        ended = genprior("run", "quickstart", store, "--scheduler", "tls://127.0.0.1:1", *given)
        assert ended.exit_code == 2
        # A key that does not fit to its certificate is told with the certificate.
        assert_names(ended.stderr.strip().splitlines()[-1], f"--tls-{part}"[:7], "genprior: ")
    assert not store.exists()


def test_only_their_owner_can_read_the_certificates_of_a_run(ours: Certificates) -> None:
    assert {os.stat(path).st_mode & 0o777 for path in ours if path} == {0o600}
