"""Count the products of each category, once in FRESH_SECONDS: it takes 30 ms with 100,000 products."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

from chassis.db.database import Database
from order_service.catalog import queries

FRESH_SECONDS = 10


class Categories:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: list[dict[str, Any]] = []
        self._stale_at = 0.0

    def counts(self) -> list[dict[str, Any]]:
        """Return name and number of products of each category, by name."""
        if monotonic() >= self._stale_at:
            with self._lock:
                if monotonic() >= self._stale_at:
                    self._counts = queries.count_categories(self._database)
                    self._stale_at = monotonic() + FRESH_SECONDS
        return self._counts
