"""Poll user-service's feed of ended sessions in a thread of every worker process."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from itertools import takewhile
from typing import Any

import psycopg
from prometheus_client import Gauge
from pydantic import ValidationError

from chassis.auth.jwks import RemoteKeys
from chassis.context import RequestContext, set_context
from chassis.db.database import Database
from chassis.db.pool import PoolTimeout
from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient
from order_service.sessions import actions
from order_service.sessions.schemas import FeedIn

log = logging.getLogger(__name__)

PATH = "/ended-sessions"
POLL_SECONDS = 0.5
KEYS_SECONDS = 30  # a key that the issuer withdrew is dropped after this time
LATE_ORDERS_SECONDS = 60
REMEMBERED_SECONDS = 2 * 86_400  # no token lives longer than a day

SYNCED_AT = Gauge(
    "session_feed_synced_timestamp_seconds",
    "When the feed of ended sessions was last followed to its end.",
    multiprocess_mode="livemin",
)


class SessionFeed:
    """Keep the ended sessions in memory and know how old that list is.

    The same thread refreshes `keys`; None with demo tokens.
    """

    def __init__(self, database: Database, client: ServiceClient, keys: RemoteKeys | None) -> None:
        self._database = database
        self._client = client
        self._keys = keys
        self._ended: dict[str, float] = {}  # session id to time of learning, oldest first
        self._version = -1  # not loaded yet
        self._synced_at = time.monotonic()
        self._keys_at = self._late_until = 0.0
        self._reachable = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="session-feed", daemon=True)

    def has_ended(self, session_id: str) -> bool:
        return session_id in self._ended

    @property
    def age_seconds(self) -> float:
        """The seconds since the feed was last read to its end, or since the start."""
        return time.monotonic() - self._synced_at

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its current step."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> None:
        """Read the feed to its end; raise ServiceCallFailed or psycopg.Error, after which a later step may succeed."""
        if self._version < 0:
            self._accept(actions.load_learned(self._database))
        while endings := self._next_page():
            self._accept(actions.learn(self._database, endings=endings))
            if any(ending["user_id"] for ending in endings):
                self._late_until = time.monotonic() + LATE_ORDERS_SECONDS
        if time.monotonic() < self._late_until:
            actions.erase_late_orders(self._database)
        self._synced_at = time.monotonic()
        SYNCED_AT.set_to_current_time()
        self._refresh_keys()

    def _next_page(self) -> list[dict[str, Any]]:
        try:
            page = FeedIn.model_validate(self._client.get(PATH, after=self._version))
        except ValidationError as failure:
            raise ServiceCallFailed("the feed has another shape than expected") from failure
        versions = [self._version, *(ending.version for ending in page.endings)]
        if versions != sorted(set(versions)):
            raise ServiceCallFailed("versions in the feed do not increase")
        return page.model_dump()["endings"]  # type: ignore[no-any-return]

    def _accept(self, learned: actions.Learned) -> None:
        now = time.monotonic()
        self._ended.update(dict.fromkeys(learned.session_ids, now))
        for session_id in list(takewhile(lambda old: self._ended[old] < now - REMEMBERED_SECONDS, self._ended)):
            del self._ended[session_id]
        self._version = learned.version

    def _refresh_keys(self) -> None:
        if self._keys and time.monotonic() - self._keys_at > KEYS_SECONDS:
            self._keys.refresh()
            self._keys_at = time.monotonic()

    def _follow(self) -> None:
        while not self._stopping.is_set():
            set_context(RequestContext(request_id=f"feed-{secrets.token_hex(8)}"))
            try:
                self.step()
                self._note(reachable=True)
            except (ServiceCallFailed, psycopg.Error, PoolTimeout, Unavailable) as failure:
                self._note(reachable=False, why=str(failure))
            except Exception:
                log.exception("session_feed_failed")  # the thread must survive any exception
            self._stopping.wait(POLL_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def _note(self, *, reachable: bool, why: str = "") -> None:
        if reachable != self._reachable:
            log.warning("session_feed_back" if reachable else "session_feed_lost", extra={"failure": why})
        self._reachable = reachable
