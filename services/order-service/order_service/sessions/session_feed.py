"""Poll user-service's feed of ended sessions in a thread of every worker process."""

from __future__ import annotations

import logging
import math
import random
import secrets
import threading
import time
from collections.abc import Iterable
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
from order_service.orders.rules import FeedTooOld
from order_service.sessions import actions
from order_service.sessions.schemas import FeedIn

log = logging.getLogger(__name__)

PATH = "/ended-sessions"
POLL_SECONDS = 0.5
KEYS_SECONDS = 30  # a key that the issuer withdrew is dropped after this time
STAFF_FEED_SECONDS = 5  # staff are refused while the list of ended sessions is older
SWEEP_SECONDS = 10
SWEEP_BUYERS = 200  # deleted accounts whose orders one sweep checks
REMEMBERED_SECONDS = 2 * 86_400  # no token lives longer than a day

SYNCED_AT = Gauge(
    "session_feed_synced_timestamp_seconds",
    "When the feed of ended sessions was last followed to its end.",
    multiprocess_mode="livemin",
)


class LogChanged(ServiceCallFailed):
    """The feed no longer has the last entry learned: user-service's database was restored, or the entry expired."""


class SessionFeed:
    """Keep the ended sessions in memory and know how old that list is.

    The same thread refreshes `keys`; None with demo tokens. Sessions are refused while the list is older than
    `max_age_seconds`; 0 disables that.
    """

    def __init__(
        self, database: Database, client: ServiceClient, keys: RemoteKeys | None, max_age_seconds: int = 0
    ) -> None:
        self._database = database
        self._client = client
        self._keys = keys
        self._ended: dict[str, float] = {}  # session id to time of learning, oldest first
        self._max_age_seconds = max_age_seconds
        self._position: actions.Position | None = None  # not loaded yet
        self._synced_at, self._is_synced = time.monotonic(), False
        self._keys_at = self._swept_at = 0.0
        self._swept_to = ""
        self._reachable = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="session-feed", daemon=True)

    def has_ended(self, session_id: str) -> bool:
        """Return whether user-service has ended the session; raise FeedTooOld when the list is too old."""
        if 0 < self._max_age_seconds < self.age_seconds:
            raise FeedTooOld
        return session_id in self._ended

    def require_current(self) -> None:
        """Raise FeedTooOld unless the feed was read to its end a few seconds ago."""
        if not self._is_synced or self.age_seconds > STAFF_FEED_SECONDS:
            raise FeedTooOld

    @property
    def age_seconds(self) -> float:
        """The seconds since the feed was last read to its end, or the start; infinite after a change of its log."""
        return time.monotonic() - self._synced_at

    def is_in_contact(self) -> bool:
        """Tell whether the last step reached user-service."""
        return self._reachable

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its current step."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> None:
        """Read the feed to its end; raise ServiceCallFailed or psycopg.Error, after which a later step may succeed."""
        try:
            self._read()
        finally:
            self._sweep()

    def _read(self) -> None:
        position = self._position or self._load()
        try:
            self._catch_up(position)
        except LogChanged as change:
            log.warning("session_feed_log_changed", extra={"failure": str(change)})
            self._synced_at = -math.inf
            actions.restart(self._database, refused=self._position or position)
            self._catch_up(self._load())
        self._synced_at, self._is_synced = time.monotonic(), True
        SYNCED_AT.set_to_current_time()
        self._refresh_keys()

    def _load(self) -> actions.Position:
        position = actions.load_position(self._database)  # first: another process may be learning more meanwhile
        self._remember(actions.load_ended(self._database))
        return position

    def _catch_up(self, position: actions.Position) -> None:
        self._position = position
        while endings := self._new_endings(position):
            learned = actions.learn(self._database, endings=endings, after=position)
            self._remember(ending["session_id"] for ending in endings if ending["session_id"])
            self._position = position = learned or self._load()

    def _new_endings(self, position: actions.Position) -> list[dict[str, Any]]:
        """Return the endings after the position; the first one of the page is the position itself, in the same log."""
        try:
            page = FeedIn.model_validate(self._client.get(PATH, after=max(position.version - 1, 0)))
        except ValidationError as failure:
            raise ServiceCallFailed("the feed has another shape than expected") from failure
        endings: list[dict[str, Any]] = page.model_dump()["endings"]
        versions = [ending["version"] for ending in endings]
        if versions != sorted(set(versions)):
            raise ServiceCallFailed("versions in the feed do not increase")
        if position == actions.START:
            return endings
        if [(ending["version"], ending["at"]) for ending in endings[:1]] != [position]:
            raise LogChanged(f"entry {position.version} of the feed is not the one that was learned")
        return endings[1:]

    def _remember(self, session_ids: Iterable[str]) -> None:
        now = time.monotonic()
        self._ended.update(dict.fromkeys(session_ids, now))
        for session_id in list(takewhile(lambda old: self._ended[old] < now - REMEMBERED_SECONDS, self._ended)):
            del self._ended[session_id]

    def _sweep(self) -> None:
        """Erase late orders; go back to the stored position when a restore of our own database has set it back."""
        if time.monotonic() - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        self._swept_to = actions.erase_late_orders(self._database, after=self._swept_to, limit=SWEEP_BUYERS)
        stored = actions.load_position(self._database)
        if stored != self._position:
            self._position = None

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
