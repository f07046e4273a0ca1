"""Problems of sign-in and refresh."""

from __future__ import annotations

from chassis.problems import InvalidToken, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """Wrong password, unknown or deleted account; the client cannot tell which."""

    code, error = "invalid_credentials", "invalid credentials"


class InvalidRefreshToken(InvalidToken):
    """The refresh token is unknown, used, expired, or of an ended session."""

    code, error = "invalid_refresh_token", "invalid refresh token"
