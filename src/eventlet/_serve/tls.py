"""Make the TLS context of a server from files."""

from __future__ import annotations

import errno
import ssl
from typing import Any

from eventlet._serve.refusal import Misuse, Refusal, reason
from eventlet._serve.settings import Settings

__all__ = ["check", "make_context"]


def check(settings: Settings) -> None:
    """Find out early whether `make_context` will work.

    Raises:
        Refusal: it will not.
    """
    make_context(settings, ssl.SSLContext)


def make_context(settings: Settings, kind: type[Any]) -> Any:
    """Make the context, or None where TLS is off.

    Args:
        settings: name the files.
        kind: the class of context: the standard one, or the green one.

    Raises:
        Refusal: a file is missing, unreadable, of another kind, or the key is another one's.
    """
    certificate, key, authorities = settings.tls_cert, settings.tls_key, settings.client_ca
    if certificate is None:
        for name, value in (("tls-key", key), ("client-ca", authorities)):
            if value is not None:
                raise Misuse(f"--{name} {value} has no certificate", "name it with --tls-cert")
        return None
    for path in (certificate, key, authorities):
        if path is not None:
            _read(path)
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if settings.http2 else ["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as exc:
        raise _wrong_pair(certificate, key, exc) from None
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except ssl.SSLError as exc:
            raise Refusal(
                f"{authorities!r} holds no certificates of authorities ({exc.reason})",
                "give --client-ca a file in PEM form",
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _read(path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as exc:
        way_out = (
            "let this user read it" if exc.errno == errno.EACCES else "check the path of the file"
        )
        raise Refusal(f"cannot read {path!r}: {reason(exc)}", way_out) from None


def _no_password() -> str:
    raise Refusal(
        "the private key is encrypted, and nobody is there to type a password",
        "give --tls-key a key without one",
    )


def _wrong_pair(certificate: str, key: str | None, exc: ssl.SSLError) -> Refusal:
    if exc.reason == "KEY_VALUES_MISMATCH":
        return Refusal(
            f"the key in {key or certificate!r} does not belong to the certificate in "
            f"{certificate!r}",
            "name the key it was made with by --tls-key",
        )
    files = f"{certificate!r} holds" if key is None else f"{certificate!r} and {key!r} hold"
    return Refusal(
        f"{files} no certificate with its private key ({exc.reason or exc})",
        "both are files in PEM form; the key may be in the file of the certificate",
    )
