"""Call another service over HTTP with the service credential, short timeouts, one retry and the request id."""

from __future__ import annotations

from time import monotonic
from typing import Any

import orjson
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from chassis.context import current_context

_TIMEOUT = Timeout(connect=1, read=1.5)
_RETRIES = Retry(
    total=1, backoff_factor=0.1, backoff_jitter=0.2, status_forcelist=[502, 503, 504], respect_retry_after_header=False
)

MAX_RESPONSE_BYTES = 1024 * 1024  # several times the size of the largest feed page
MAX_RESPONSE_SECONDS = 3.0


class ServiceCallFailed(Exception):
    """The other service did not answer, or its response is not a JSON object with status 200."""


class ServiceCallRefused(ServiceCallFailed):
    """The other service works, and refused this call with a status of 4xx."""


class ServiceClient:
    """An HTTP client for one other service of the shop; with `attempt_seconds` it tries once, for that long."""

    def __init__(self, url: str, credential: str, attempt_seconds: float | None = None) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._seconds = attempt_seconds
        self._pool = (
            PoolManager(timeout=Timeout(total=attempt_seconds), retries=False, maxsize=2)
            if attempt_seconds
            else PoolManager(timeout=_TIMEOUT, retries=_RETRIES)
        )

    def get(self, path: str, token: str | None = None, **query: str | int) -> dict[str, Any]:
        """Return the JSON object at `path`, asked for with the service credential, or with the token of a user."""
        url, fields = f"{self._url}{path}", {name: str(value) for name, value in query.items()}
        try:
            # No redirects: the credential must reach this address only, and only its responses are trusted.
            answer = self._pool.request(
                "GET", url, fields=fields, headers=self._headers(token), redirect=False, preload_content=False
            )
            body = orjson.loads(_read(answer, self._seconds or MAX_RESPONSE_SECONDS))
        except (HTTPError, orjson.JSONDecodeError) as failure:
            raise ServiceCallFailed(f"{url}: {type(failure).__name__}") from failure
        if answer.status != 200 or not isinstance(body, dict):  # noqa: PLR2004 - a status
            refused = 400 <= answer.status < 500  # noqa: PLR2004 - statuses
            raise (ServiceCallRefused if refused else ServiceCallFailed)(f"{url}: {answer.status}")
        return body

    def _headers(self, token: str | None) -> dict[str, str]:
        context = current_context()
        passed_on = {"X-Request-ID": context.request_id, "traceparent": context.traceparent}
        known = {name: value for name, value in passed_on.items() if value}
        return {"Authorization": f"Bearer {token or self._credential}", **known}


def _read(answer: BaseHTTPResponse, seconds: float) -> bytes:
    """Return the raw body; raise ServiceCallFailed when it is too large or too slow."""
    deadline, body = monotonic() + seconds, b""
    while chunk := answer.read1(MAX_RESPONSE_BYTES, decode_content=False):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES or monotonic() > deadline:
            answer.close()
            raise ServiceCallFailed("the response is too large or too slow")
    answer.release_conn()
    return body
