"""Post to an endpoint: to a public address only, without redirects, within a time limit."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from threading import Timer
from urllib.parse import SplitResult

from order_service.webhooks import rules

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 5.0

PORTS = {"http": 80, "https": 443}


class Undelivered(Exception):
    """There was no response; the message is a stable word."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, local: bool) -> int:
    """Return the status of the response, whose body is not read; raise Undelivered without one."""
    try:
        parts = rules.parse_url(url, local=local)
        return _post(parts, body, headers, local=local)
    except rules.BadUrl as refusal:
        raise Undelivered("bad_url") from refusal
    except socket.gaierror as failure:
        raise Undelivered("unknown_host") from failure
    except TimeoutError as failure:
        raise Undelivered("timeout") from failure
    except ssl.SSLError as failure:
        raise Undelivered(
            "bad_certificate" if isinstance(failure, ssl.SSLCertVerificationError) else "tls"
        ) from failure
    except (HTTPException, ValueError) as failure:
        raise Undelivered("no_http_response") from failure
    except OSError as failure:
        raise Undelivered("no_connection") from failure


def _post(parts: SplitResult, body: bytes, headers: Mapping[str, str], *, local: bool) -> int:
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    with ExitStack() as stack:
        plain = stack.enter_context(_connect(host, port, local=local))
        stack.enter_context(_limited(plain))
        secure = parts.scheme == "https"
        connection = HTTPSConnection(host, port, context=_tls()) if secure else HTTPConnection(host, port)
        connection.auto_open = 0  # it would resolve the name again
        connection.sock = _tls().wrap_socket(plain, server_hostname=host) if secure else plain
        stack.callback(connection.close)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "Connection": "close"})
        return connection.getresponse().status


def _connect(host: str, port: int, *, local: bool) -> socket.socket:
    """Connect to an address of the host that was checked; raise Undelivered when none may be connected to."""
    found = [where[0] for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    allowed = [text for text in dict.fromkeys(map(str, found)) if _is_allowed(text, local=local)]
    if not allowed:
        raise Undelivered("address_not_public")
    for address in allowed[:-1]:
        try:
            return socket.create_connection((address, port), CONNECT_SECONDS / len(allowed))
        except OSError:
            continue
    return socket.create_connection((allowed[-1], port), CONNECT_SECONDS / len(allowed))


def _is_allowed(text: str, *, local: bool) -> bool:
    return "%" not in text and rules.may_connect(ip_address(text), local=local)


@contextmanager
def _limited(connected: socket.socket) -> Iterator[None]:
    """End the connection after TOTAL_SECONDS, however the endpoint spreads its bytes; raise TimeoutError then."""
    connected.settimeout(TOTAL_SECONDS)
    late: list[bool] = []
    # A second handle of the connection: TLS takes the first one away.
    with connected.dup() as handle:

        def end() -> None:
            late.append(True)
            handle.shutdown(socket.SHUT_RDWR)

        timer = Timer(TOTAL_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException, ValueError) as failure:
            if late:
                raise TimeoutError from failure
            raise
        finally:
            timer.cancel()
            timer.join()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
