"""How signing in is refused."""

from __future__ import annotations

from chassis.problems import InvalidToken, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """Unknown, deleted or mistyped: all look the same from outside."""

    code, error = "invalid_credentials", "invalid credentials"


class InvalidRefreshToken(InvalidToken):
    """Unknown, spent, expired, or of a session that has ended."""

    code, error = "invalid_refresh_token", "invalid refresh token"
