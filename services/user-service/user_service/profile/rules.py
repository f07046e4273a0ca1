"""Problems of changes to the caller's account."""

from __future__ import annotations

from chassis.problems import Problem


class WrongPassword(Problem):
    """Not a 401: the token is valid, and the client must ask for the password, not for a new token."""

    status, code, error = 403, "wrong_password", "wrong password"
