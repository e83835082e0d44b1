"""TLS with a service: whom we trust, what we show, and what went wrong in words for people (semantics §9.3)."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.services.plan import Credentials


class NoTls(ProxyError):
    """TLS cannot be had with what is configured: why. Never holds a key."""


def context_of(credentials: Credentials) -> ssl.SSLContext:
    """What TLS is spoken with: 1.2 or newer, the service's name and chain checked. Reads files. Raises NoTls.

    Where a `ca` is given, nobody else is trusted. `ca`, `certificate` and `key` are paths, or PEM itself
    (`!file` puts a file's text into the configuration).
    """
    context = _trusting(credentials.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if credentials.kind == "certificate":
        _show(context, credentials)
    return context


def _trusting(ca: str) -> ssl.SSLContext:
    try:
        if _is_pem(ca):
            return ssl.create_default_context(cadata=ca)
        return ssl.create_default_context(cafile=ca or None)
    except ssl.SSLError as error:
        raise NoTls("ca holds no certificate in PEM") from error
    except OSError as error:
        raise NoTls(f"ca: {ca} cannot be read: {error.strerror}") from error


def _show(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Have a certificate to show when the service asks (security profile 3)."""
    if not credentials.certificate:
        raise NoTls("auth_type certificate needs certificate, and key unless that holds it too")
    try:
        with ExitStack() as files:
            certificate = files.enter_context(_file_of(credentials.certificate))
            key = files.enter_context(_file_of(credentials.key)) if credentials.key else None
            context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise NoTls(f"certificate and key cannot be used: {_reason(error)}") from error
    except OSError as error:
        raise NoTls(f"certificate or key cannot be read: {error.strerror}") from error


def _no_password() -> str:
    """An encrypted key is an error; OpenSSL would ask at a terminal and wait."""
    raise NoTls("the key is encrypted; give one without a passphrase")


@contextmanager
def _file_of(given: str) -> Iterator[str]:
    """A path; for PEM itself a file that only we may read, as long as it is needed."""
    if not _is_pem(given):
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "it.pem"
        file.touch(mode=0o600)
        file.write_text(given)
        yield str(file)


def _is_pem(given: str) -> bool:
    return "-----BEGIN" in given


_WORDS = {
    "WRONG_VERSION_NUMBER": "it speaks no TLS on this port; should the url begin with ws://?",
    "HTTP_REQUEST": "it speaks no TLS on this port; should the url begin with ws://?",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS of version 1.2 or newer",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS of version 1.2 or newer",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate; set auth_type: certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refused the handshake; perhaps it asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not know our client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our client certificate is revoked",
}

_NO_CHAIN = {18, 19, 20, 21}
"""OpenSSL's codes for a chain that leads to nobody we trust."""


def told(error: ssl.SSLError) -> str:
    """What went wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "; give its CA as ca" if error.verify_code in _NO_CHAIN else ""
        return f"its certificate cannot be trusted: {error.verify_message.rstrip('.')}{hint}"
    return _WORDS.get(_code(error), _reason(error))


def event(error: ssl.SSLError) -> str:
    """The security event that it is (A00.FR.311, A00.FR.316), if it is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "InvalidCsmsCertificate"
    return "InvalidTLSVersion" if _code(error) in _TOO_OLD else ""


_TOO_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


def _reason(error: ssl.SSLError) -> str:
    return _code(error).replace("_", " ").lower() or "it broke off"


def _code(error: ssl.SSLError) -> str:
    """OpenSSL's name of what happened; empty where Python itself raised the error."""
    return getattr(error, "reason", None) or ""
