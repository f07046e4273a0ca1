"""Calls from one service to another: their own credential, short timeouts, retries with jitter, the request's id."""

from __future__ import annotations

from time import monotonic
from typing import Any

import orjson
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from chassis.context import current_context

_PATIENCE = Timeout(connect=1, read=1.5)
_RETRIES = Retry(
    total=1, backoff_factor=0.1, backoff_jitter=0.2, status_forcelist=[502, 503, 504], respect_retry_after_header=False
)

LARGEST_ANSWER = 1024 * 1024  # several times the longest page of the feed
LONGEST_ANSWER_SECONDS = 3.0


class ServiceCallFailed(Exception):
    """The other service did not answer, or not with what was asked for."""


class ServiceClient:
    """Another service of the shop."""

    def __init__(self, url: str, credential: str) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._pool = PoolManager(timeout=_PATIENCE, retries=_RETRIES)

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        url, fields = f"{self._url}{path}", {name: str(value) for name, value in query.items()}
        try:
            # No redirect: the credential is for this address alone, and so is the trust in what it answers.
            answer = self._pool.request(
                "GET", url, fields=fields, headers=self._headers(), redirect=False, preload_content=False
            )
            body = orjson.loads(_read(answer))
        except (HTTPError, orjson.JSONDecodeError) as failure:
            raise ServiceCallFailed(f"{url}: {type(failure).__name__}") from failure
        if answer.status != 200 or not isinstance(body, dict):  # noqa: PLR2004 - a status says what it is
            raise ServiceCallFailed(f"{url}: {answer.status}")
        return body

    def _headers(self) -> dict[str, str]:
        context = current_context()
        passed_on = {"X-Request-ID": context.request_id, "traceparent": context.traceparent}
        known = {name: value for name, value in passed_on.items() if value}
        return {"Authorization": f"Bearer {self._credential}", **known}


def _read(answer: BaseHTTPResponse) -> bytes:
    """Read the answer as it was sent; raise ServiceCallFailed when it is too large or drips in too slowly."""
    deadline, body = monotonic() + LONGEST_ANSWER_SECONDS, b""
    while chunk := answer.read1(LARGEST_ANSWER, decode_content=False):
        body += chunk
        if len(body) > LARGEST_ANSWER or monotonic() > deadline:
            answer.close()
            raise ServiceCallFailed("an answer without end")
    answer.release_conn()
    return body
