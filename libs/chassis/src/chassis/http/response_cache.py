"""Answer a public list from memory for a moment, and render it once for all requests that wait for it.

An entry is served for FRESH_SECONDS at most, and every write that passes through this worker clears the cache: a
client of one worker reads its own writes, and another worker is behind by no more than that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple, TypeVar

from chassis.db.batching import Batcher
from chassis.http.parsing import Environ
from chassis.http.responses import Rendered

FRESH_SECONDS = 0.05
MOST_ENTRIES = 100  # a database renders fewer within the moment for which an entry is fresh
LONGEST_QUERY = 1000  # an honest one is shorter; long ones would fill the memory

View = TypeVar("View", bound=Callable[..., object])
Render = Callable[[Environ], Rendered]


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
    """The fresh responses of one route, by query string; it never sees the headers of a request."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._batcher: Batcher[tuple[Environ, Render], Rendered] = Batcher(self._refresh)

    def get(self, environ: Environ, render: Render) -> Rendered:
        """Return the fresh response, or the one that `render` makes for all that wait; raise what `render` raises."""
        return self._fresh(environ) or self._batcher.get(environ["QUERY_STRING"], (environ, render))

    def clear(self) -> None:
        self._entries.clear()

    def _fresh(self, environ: Environ) -> Rendered | None:
        entry = self._entries.get(environ["QUERY_STRING"])
        return entry.rendered if entry and entry.stale_at >= monotonic() else None

    def _refresh(self, waiting: Sequence[tuple[Environ, Render]]) -> list[Rendered | Exception]:
        """Render once for all; a refusal is each request's own, since it names the request."""
        results: list[Rendered | Exception] = []
        for environ, render in waiting:
            results.append(self._fresh(environ) or self._render(environ, render))
        return results

    def _render(self, environ: Environ, render: Render) -> Rendered | Exception:
        stale_at = monotonic() + FRESH_SECONDS  # from before reading: no write is hidden for longer
        try:
            rendered = render(environ)
        except Exception as failure:
            return failure
        if len(environ["QUERY_STRING"]) <= LONGEST_QUERY:
            if len(self._entries) >= MOST_ENTRIES:
                self._entries.clear()
            self._entries[environ["QUERY_STRING"]] = Entry(rendered, stale_at)
        return rendered
