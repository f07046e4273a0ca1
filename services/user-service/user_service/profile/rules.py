"""How changes to one's own account are refused."""

from __future__ import annotations

from chassis.problems import Problem


class WrongPassword(Problem):
    """The token is good, so this is not a 401: a client must ask for the password again, not for a new token."""

    status, code, error = 403, "wrong_password", "wrong password"
