"""Dask's servers for one user of a machine: certificates in memory, no HTTP, a folder of their own.

Other users of a login node can reach every port on loopback, and Dask executes what it is sent. So
scheduler, nannies and workers speak only with those that have the certificate of this run.
"""

import datetime
import os
import ssl
import stat
import tempfile
from typing import Any

import dask
from distributed import Scheduler, Worker
from distributed.security import Security

from .certificates import ROLES

YEARS = datetime.timedelta(days=3650)  # before and after now, because clocks jump


class PrivateScheduler(Scheduler):  # type: ignore[misc]
    """A scheduler without an HTTP server, which would show names of tasks, errors and hosts."""

    def start_http_server(self, *arguments: Any, **settings: Any) -> None:
        """Start nothing."""


class PrivateWorker(Worker):  # type: ignore[misc]
    """A worker without an HTTP server."""

    def start_http_server(self, *arguments: Any, **settings: Any) -> None:
        """Start nothing."""


def own_folder(above: str | None = None) -> str:
    """Give a folder for what servers write; nobody else can write there.

    A server of Dask puts its folder first on the path from which modules are imported, and by
    default all users of a machine share one above it.

    Args:
        above: the folder in which it is; `~` and variables count as on this machine. That of
            Dask's configuration if None, or the machine's for temporary files.

    Raises:
        OSError: no folder for temporary files can be written.
    """
    above = above or dask.config.get("temporary-directory") or tempfile.gettempdir()
    above = os.path.abspath(os.path.expanduser(os.path.expandvars(above)))
    os.makedirs(above, exist_ok=True)
    folder = os.path.join(above, f"genprior-{os.getuid()}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        known = os.lstat(folder)
        is_ours = stat.S_ISDIR(known.st_mode) and known.st_uid == os.getuid()
        if not is_ours or stat.S_IMODE(known.st_mode) & 0o077:
            return tempfile.mkdtemp(prefix="genprior-", dir=above)
    return folder


def no_encryption() -> Security:
    """Give the settings of servers that communicate inside one process and open no port."""
    return _security(None, None)


def certified() -> Security:
    """Make a key and a certificate, in memory, that client, scheduler and workers share.

    It is valid from years ago, because the clocks of nodes differ.

    The key is of the curve P-256: it is made in a millisecond, one of RSA in a tenth of a second.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "genprior")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - YEARS)
        .not_valid_after(now + YEARS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return holding(public.decode(), private.decode())


def holding(certificate: str, key: str) -> Security:
    """Give the settings of a server that has the certificate of a run, and its key."""
    return _security(certificate, key)


def _security(certificate: str | None, key: str | None) -> Security:
    """Give every setting, so that those for clusters in Dask's configuration do not count here."""
    settings: dict[str, Any] = {f"tls_{role}_cert": certificate for role in ROLES}
    settings |= {f"tls_{role}_key": key for role in ROLES}
    return Security(
        require_encryption=certificate is not None,
        tls_ca_file=certificate,
        tls_ciphers=None,
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        tls_max_version=None,
        **settings,
    )
