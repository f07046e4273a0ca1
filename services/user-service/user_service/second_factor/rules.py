"""Problems of changes to the second factor."""

from __future__ import annotations

from chassis.problems import Conflict, Problem


class WrongCode(Problem):
    """Not a 401, as with a wrong password of a signed-in caller."""

    status, code = 403, "wrong_code"
    error = "this code is wrong or was used before; wait for the next one of your app"


class SecondFactorOn(Conflict):
    code, error = "second_factor_on", "the second factor is on already; switch it off first"


class SecondFactorOff(Conflict):
    code, error = "second_factor_off", "there is no second factor to change"


class NotOffered(Conflict):
    code, error = "second_factor_not_begun", "begin with POST /second-factor, which gives out the secret"
