"""Answer a public list from memory for a moment, before the framework is even asked.

A page is kept for FRESH_SECONDS at most, and every write that passes through this worker forgets all pages: a client
of one worker reads its own writes, and another worker is behind by no more than that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.http import parse_etags

from chassis.db.batching import Batcher
from chassis.http.cors import Cors
from chassis.telemetry.access_log import RECORDED, REQUEST_ID, Record, RequestRecord, begin_request
from chassis.telemetry.logging import current_request_id

FRESH_SECONDS = 0.05
_MOST_PAGES = 100  # a database renders fewer within the moment for which a page is kept
_LONGEST_QUERY = 1000  # an honest one is shorter; long ones would fill the memory
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class _Page(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    stale_at: float
    etag: str = ""
    unchanged: _Page | None = None  # what a client gets that has it already

    @property
    def is_good(self) -> bool:
        return self.status.startswith("200")

    def for_client_with(self, etags: str | None) -> _Page:
        """Return this page, or 304 without a body for a client that names its ETag."""
        if not etags or not self.unchanged:
            return self
        named = etags == self.etag or parse_etags(etags).contains_weak(self.etag.strip('"'))
        return self.unchanged if named else self


class ResponseCache:
    """WSGI layer that keeps the 200 answers of GET `path`."""

    def __init__(self, app: Flask, path: str, record: Record) -> None:
        self._inner = app.wsgi_app
        self._path = path
        self._record = record
        self._cors: Cors = app.extensions["cors"]
        self._pages: dict[str, _Page] = {}
        self._crowd = Batcher(self._look_again)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == self._path and environ["REQUEST_METHOD"] == "GET":
            return self._answer(environ, start_response)
        answer: Iterable[bytes] = self._inner(environ, start_response)
        if environ["REQUEST_METHOD"] not in _READS:
            self._pages.clear()
        return answer

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        arrived = begin_request(environ.get("HTTP_X_REQUEST_ID"))
        page = self._fresh(environ) or self._crowd.get(environ["QUERY_STRING"], environ)
        page = page.for_client_with(environ.get("HTTP_IF_NONE_MATCH"))
        grant = self._cors.grant(environ.get("HTTP_ORIGIN"))
        start_response(page.status, [*page.headers, *grant, (REQUEST_ID, current_request_id())])
        self._record(RequestRecord("GET", self._path, self._path, int(page.status[:3]), perf_counter() - arrived))
        return [page.body]

    def _fresh(self, environ: dict[str, Any]) -> _Page | None:
        page = self._pages.get(environ["QUERY_STRING"])
        return page if page and page.stale_at >= monotonic() else None

    def _look_again(self, environs: Sequence[dict[str, Any]]) -> list[_Page]:
        """Render a page once for all who wait for it; a refusal is each one's own."""
        first, *others = environs
        page = self._fresh(first) or self._render(first)
        return [page, *(page if page.is_good else self._render(environ) for environ in others)]

    def _render(self, environ: dict[str, Any]) -> _Page:
        stale_at = monotonic() + FRESH_SECONDS  # from before reading: a write meanwhile must not be hidden for longer
        head: list[Any] = []
        # What depends on the client is left to each answer.
        unconditional = {**environ, "HTTP_IF_NONE_MATCH": "", "HTTP_ORIGIN": "", RECORDED: True}
        answer = self._inner(unconditional, lambda *given: head.extend(given))  # type: ignore[arg-type]
        body = b"".join(answer)
        headers = [header for header in head[1] if header[0] != REQUEST_ID]
        kept = [header for header in headers if header[0] not in {"Content-Type", "Content-Length"}]
        unchanged = _Page("304 NOT MODIFIED", kept, b"", stale_at)
        page = _Page(head[0], headers, body, stale_at, etag := dict(kept).get("ETag", ""), unchanged if etag else None)
        if page.is_good and len(environ["QUERY_STRING"]) <= _LONGEST_QUERY:
            self._keep(environ["QUERY_STRING"], page)
        return page

    def _keep(self, query: str, page: _Page) -> None:
        if len(self._pages) >= _MOST_PAGES:
            self._pages.clear()
        self._pages[query] = page
