"""Answer a public list from memory for a moment, and render it once for all requests that wait for it.

An entry is served for FRESH_SECONDS at most, and every write that passes through this worker clears the cache: a
client of one worker reads its own writes, and another worker is behind by no more than that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple, TypeVar

from chassis.db.batching import Batcher
from chassis.http.parsing import Request
from chassis.http.responses import Rendered

FRESH_SECONDS = 0.05
MOST_ENTRIES = 100  # a database renders fewer within the moment for which an entry is fresh
LONGEST_QUERY = 1000  # an honest one is shorter; long ones would fill the memory

View = TypeVar("View", bound=Callable[..., object])


class Entry(NamedTuple):
    rendered: Rendered
    stale_at: float


def cached(view: View) -> View:
    """Mark a public route: its responses are kept for a moment, by their query string."""
    view.is_cached = True  # type: ignore[attr-defined]
    return view


def is_cached(view: Callable[..., object]) -> bool:
    return getattr(view, "is_cached", False)


class ResponseCache:
    """The fresh responses of one route, by query string; `render` makes one, and it sees no other part of a request."""

    def __init__(self, render: Callable[[Request], Rendered]) -> None:
        self._render = render
        self._entries: dict[str, Entry] = {}
        self._batcher: Batcher[Request, Rendered] = Batcher(self._refresh)

    def get(self, request: Request) -> Rendered:
        """Return the fresh response, or the one that is rendered for all that wait; raise what rendering raises."""
        return self._fresh(request) or self._batcher.get(request.environ["QUERY_STRING"], request)

    def clear(self) -> None:
        self._entries.clear()

    def _fresh(self, request: Request) -> Rendered | None:
        entry = self._entries.get(request.environ["QUERY_STRING"])
        return entry.rendered if entry and entry.stale_at >= monotonic() else None

    def _refresh(self, waiting: Sequence[Request]) -> list[Rendered | Exception]:
        """Render once for all; a refusal is each request's own, since it names the request."""
        return [self._fresh(request) or self._try(request) for request in waiting]

    def _try(self, request: Request) -> Rendered | Exception:
        stale_at = monotonic() + FRESH_SECONDS  # from before reading: no write is hidden for longer
        try:
            rendered = self._render(request)
        except Exception as failure:
            return failure
        self._keep(request.environ["QUERY_STRING"], Entry(rendered, stale_at))
        return rendered

    def _keep(self, query: str, entry: Entry) -> None:
        if len(query) > LONGEST_QUERY:
            return
        if len(self._entries) >= MOST_ENTRIES:
            self._entries.clear()
        self._entries[query] = entry
