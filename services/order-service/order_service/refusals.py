"""Refusals of several slices."""

from __future__ import annotations

from chassis.problems import Unavailable, Unprocessable


class FeedTooOld(Unavailable):
    code, error = "session_feed_too_old", "it cannot be checked now whether your session has ended, try again"


class KeyReused(Unprocessable):
    code, error = "idempotency_key_reused", "this idempotency key came with another body before"
