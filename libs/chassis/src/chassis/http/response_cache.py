"""Cache the responses of public lists for FRESH_SECONDS; concurrent requests share one rendering.

Every write through this worker clears its cache, so a client of one worker reads its own writes. Other workers
are at most FRESH_SECONDS behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple, TypeVar

from chassis.db.batching import Batcher
from chassis.http.parsing import Request
from chassis.http.responses import Rendered

FRESH_SECONDS = 0.05
MOST_ENTRIES = 100  # more than a database can render within FRESH_SECONDS
LONGEST_KEY = 1000  # longer ones are served, but they would fill the memory

View = TypeVar("View", bound=Callable[..., object])


class Entry(NamedTuple):
    rendered: Rendered
    stale_at: float


def cached(view: View) -> View:
    """Mark a public route or page as cached by its URL."""
    view.is_cached = True  # type: ignore[attr-defined]
    return view


def is_cached(view: Callable[..., object]) -> bool:
    return getattr(view, "is_cached", False)


class ResponseCache:
    """Cache responses by a key that holds all of the request that `render` may read."""

    def __init__(self, render: Callable[[Request], Rendered]) -> None:
        self._render = render
        self._entries: dict[str, Entry] = {}
        self._batcher: Batcher[tuple[str, Request], Rendered] = Batcher(self._refresh)

    def get(self, key: str, request: Request) -> Rendered:
        """Return the cached response, or render it once for all waiting requests; raise what rendering raises."""
        return self._fresh(key) or self._batcher.get(key, (key, request))

    def clear(self) -> None:
        self._entries.clear()

    def _fresh(self, key: str) -> Rendered | None:
        entry = self._entries.get(key)
        return entry.rendered if entry and entry.stale_at >= monotonic() else None

    def _refresh(self, waiting: Sequence[tuple[str, Request]]) -> list[Rendered | Exception]:
        """Render one response for all requests; render a Problem per request, because it holds the request id."""
        return [self._fresh(key) or self._try(key, request) for key, request in waiting]

    def _try(self, key: str, request: Request) -> Rendered | Exception:
        stale_at = monotonic() + FRESH_SECONDS  # set before reading, so that no write stays invisible for longer
        try:
            rendered = self._render(request)
        except Exception as failure:
            return failure
        self._keep(key, Entry(rendered, stale_at))
        return rendered

    def _keep(self, key: str, entry: Entry) -> None:
        if len(key) > LONGEST_KEY:
            return
        if len(self._entries) >= MOST_ENTRIES:
            self._entries.clear()
        self._entries[key] = entry
