"""Connections to running schedulers."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

from .certificates import Certificates
from .errors import ClusterError, SchedulerError, reason

CONNECT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 2.0
TLS_TIMEOUT = 3.0
OPTIONS = "--tls-ca, --tls-cert and --tls-key"


def connect(scheduler: str, address: str, certificates: Certificates | None) -> Any:
    """Connect to a running scheduler that has workers.

    Args:
        scheduler: what `--scheduler` says, for messages.
        address: the address.
        certificates: for TLS; those of Dask's configuration if None.

    Raises:
        SchedulerError: the address or the certificates cannot be used.
        ClusterError: no scheduler answers there, or it has no workers.
    """
    from distributed import Client
    from distributed.security import Security

    if certificates is not None and not address.startswith("tls://"):
        raise SchedulerError(
            f"--scheduler {scheduler}: {address} is not encrypted, and --tls-ca asks for that; "
            "write tls://…, or leave the certificates out."
        )
    try:
        security = certificates.security() if certificates is not None else Security()
        # A client that cannot connect is hard to close, so the connection is tested first.
        _in_thread(partial(asyncio.run, _test_connection(address, security)))
        client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False, security=security)
    except Exception as error:
        raise _refused(scheduler, address, error) from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        client.close(timeout=CLOSE_TIMEOUT)
        raise ClusterError(
            f"--scheduler {scheduler}: it has no workers. Start some with 'dask worker {address}'."
        ) from None
    return client


def _refused(scheduler: str, address: str, error: Exception) -> ClusterError | SchedulerError:
    """Explain why there is no connection."""
    why = reason(error)
    if why == CancelledError.__name__:  # Dask gave up trying again
        why = "the connection is refused"
    encrypted = address.startswith("tls://")
    usage = None
    if encrypted and isinstance(error, TypeError):
        usage = f"it needs certificates; give {OPTIONS}, or set them in Dask's configuration."
    elif encrypted and (answer := _speaks_tls(address)) is not None:
        usage = "the scheduler there does not use TLS; write tcp://…"
        if answer:
            usage = f"the scheduler and the certificates do not belong together ({why})."
    elif not encrypted and _speaks_tls(address):
        usage = f"the scheduler there uses TLS; write tls://… and give {OPTIONS}."
    if usage is not None:
        return SchedulerError(f"--scheduler {scheduler}: {usage}")
    # Dask raises these for a text that is not an address, before it connects.
    kind = SchedulerError if isinstance(error, ValueError | TypeError) else ClusterError
    return kind(f"--scheduler {scheduler}: no Dask scheduler answers there ({why}).")


def _speaks_tls(address: str) -> bool | None:
    """Say whether the server at an address answers in TLS, whoever it is; None if none answers.

    What Dask raises depends on which side finds out first, and does not say it.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    greeting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    greeting.check_hostname = False
    greeting.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((host.strip("[]"), int(port)), TLS_TIMEOUT)
    except (OSError, ValueError, OverflowError):
        return None
    try:
        with plain, greeting.wrap_socket(plain):
            return True
    except OSError:
        return False


def _in_thread(function: Callable[[], None]) -> None:
    """Call a function in a thread, so that an interruption ends the wait for it."""
    outcome: Future[None] = Future()

    def call() -> None:
        try:
            function()
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    outcome.result()


async def _test_connection(address: str, security: Any) -> None:
    from distributed.comm import connect

    encryption = security.get_connection_args("client")
    # Another program that listens there may accept the connection and never answer.
    async with asyncio.timeout(CONNECT_TIMEOUT):
        comm = await connect(address, timeout=CONNECT_TIMEOUT, **encryption)
        await comm.close()
