"""Certificates: made for one run, or the user's own."""

import os
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from ...sweeps.errors import shown
from .errors import SchedulerError, reason

ROLES = ("client", "scheduler", "worker")


class Certificates(NamedTuple):
    """Files in PEM format; one certificate serves client, scheduler and workers.

    Attributes:
        ca: certificates of those who are trusted.
        cert: the own certificate.
        key: its private key; in the file of the certificate if None.
    """

    ca: str
    cert: str
    key: str | None = None

    def security(self) -> Any:
        """Describe them as Dask does."""
        from distributed.security import Security

        pairs = {f"tls_{role}_cert": self.cert for role in ROLES}
        pairs |= {f"tls_{role}_key": self.key for role in ROLES if self.key}
        return Security(tls_ca_file=self.ca, require_encryption=True, **pairs)


def in_folder(folder: str) -> Certificates:
    """Name the certificates that `write_temporary` writes into a folder."""
    return Certificates(*(f"{folder}/{name}" for name in ("ca.pem", "cert.pem", "key.pem")))


def write_temporary(folder: Path) -> Certificates:
    """Make a certificate and a key for one run, and write them where only this user can read them.

    Whoever has no key that this certificate trusts can neither connect nor listen.
    """
    from .private import certified

    made = certified()
    files = in_folder(str(folder))
    texts = (made.tls_ca_file, made.tls_worker_cert, made.tls_worker_key)
    for path, text in zip(files, texts, strict=True):
        descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
    return files


def given_certificates(ca: str | None, cert: str | None, key: str | None) -> Certificates | None:
    """Check the files of `--tls-ca`, `--tls-cert` and `--tls-key`; None if none is given.

    Raises:
        SchedulerError: one is missing, cannot be read, is no certificate or key, or they do not
            belong together.
    """
    if ca is None and cert is None and key is None:
        return None
    if ca is None or cert is None:
        missing = "--tls-ca" if ca is None else "--tls-cert"
        raise SchedulerError(
            f"{missing} is missing; give --tls-ca and --tls-cert, and --tls-key if the key is in a "
            "file of its own."
        )
    paths = [None if path is None else str(Path(path).absolute()) for path in (ca, cert, key)]
    for option, path in zip(("--tls-ca", "--tls-cert", "--tls-key"), paths, strict=True):
        if path is not None:
            _check_readable(option, path)
    certificates = Certificates(str(paths[0]), str(paths[1]), paths[2])
    check_certificates(certificates)
    return certificates


def check_certificates(given: Certificates) -> None:
    """Check that files hold certificates, and the key that belongs to them.

    Raises:
        SchedulerError: they do not; the message names the file.
    """
    try:
        ssl.create_default_context(cafile=given.ca)
    except (ssl.SSLError, OSError) as error:
        raise SchedulerError(
            f"--tls-ca {shown(given.ca)}: holds no certificate in PEM format ({reason(error)})."
        ) from None
    try:
        # No password is asked for: the key of an encrypted file cannot be used.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(given.cert, given.key, lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        key = f" and --tls-key {shown(given.key)}" if given.key else ""
        raise SchedulerError(
            f"--tls-cert {shown(given.cert)}{key}: no certificate in PEM format with a key that "
            f"belongs to it and has no password ({reason(error)})."
        ) from None


def _check_readable(option: str, path: str) -> None:
    try:
        if not Path(path).is_file():
            raise SchedulerError(f"{option} {shown(path)}: this file does not exist.")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise SchedulerError(f"{option} {shown(path)}: {error.strerror}.") from None
