"""Refusals of several slices."""

from __future__ import annotations

from chassis.problems import Unavailable


class FeedTooOld(Unavailable):
    code, error = "session_feed_too_old", "it cannot be checked now whether your session has ended, try again"
