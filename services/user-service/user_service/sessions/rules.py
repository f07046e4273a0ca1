"""Problems of sign-in and refresh."""

from __future__ import annotations

from chassis.problems import InvalidToken, Problem, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """Wrong password, unknown or deleted account; the client cannot tell which."""

    code, error = "invalid_credentials", "invalid credentials"


class OtpRequired(Unauthenticated):
    """The password was right, and the account has a second factor; `pending` is the note that says so."""

    pending: str
    code, error = "otp_required", "send otp too: a code of your authenticator app, or a recovery code"


class OtpWrong(Unauthenticated):
    code, error = "otp_wrong", "this code is wrong or was used before; wait for the next one of your app"


class AccountDisabled(Problem):
    """Said after the right password alone, so that it tells nobody else that the account exists."""

    status, code, error = 403, "account_disabled", "this account is disabled; please write to the shop"


class ProofNeeded(Problem):
    """The session began with the password alone, and the account has a factor that proves more."""

    status, code = 403, "proof_needed"
    error = "sign in again with your passkey or a code of your app, then add another"


class InvalidRefreshToken(InvalidToken):
    """The refresh token is unknown, used, expired, or of an ended session."""

    code, error = "invalid_refresh_token", "invalid refresh token"
