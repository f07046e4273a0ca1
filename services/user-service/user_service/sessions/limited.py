"""Sign in and refresh within the rate limits."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

from chassis.context import current_context
from chassis.db.database import Row
from chassis.rate_limit.limiter import client_network
from chassis.rate_limit.policy import Rule
from user_service.accounts.rules import account_key
from user_service.services import Services
from user_service.sessions import actions
from user_service.sessions.refresh_tokens import Client
from user_service.sessions.rules import InvalidCredentials, OtpRequired, OtpWrong
from user_service.sessions.schemas import LoginBody

SIGNING_IN = Rule("login", failures=(InvalidCredentials,), limits_address=True)
# Counted by user and for itself: whoever gets this far knows the password, and nobody else can delay the owner here.
PROVING = Rule("otp", failures=(OtpWrong,))
REFRESHING = Rule("refresh")  # nobody guesses a refresh token, and a count for each would let anybody fill the storage
LONGEST_USER_AGENT = 200


class SignedIn(NamedTuple):
    """A new session, and the token that lets this device's next sign-in pass those who guess the password."""

    opened: actions.Opened
    device_token: str


def sign_in(services: Services, body: LoginBody) -> SignedIn:
    """Open a session; raise a Problem of rules.py or TooManyRequests."""
    account = account_key(body.username)
    device = services.devices.recognise(account, body.device_token)
    with services.rate_limiter.attempt(SIGNING_IN, account, device):
        user = actions.check_password(
            services.database, services.passwords, username=body.username, password=body.password
        )
        opened = _prove(services, user, body.otp, device)
    return SignedIn(opened, services.devices.issue(account, device))


def sign_in_with_code(services: Services, pending: str | None, device_token: str | None, otp: str) -> SignedIn:
    """Open a session for a sign-in that waits for its code; raise InvalidCredentials, OtpWrong or TooManyRequests."""
    user = actions.find_pending(services.database, pending=services.pending.read(pending))
    account = account_key(user.username)
    device = services.devices.recognise(account, device_token)
    opened = _prove(services, user, otp, device)
    return SignedIn(opened, services.devices.issue(account, device))


def _prove(services: Services, user: Row, otp: str | None, device: str | None) -> actions.Opened:
    """Open a session of a user whose password was right; raise OtpRequired with the note that says so."""
    try:
        with services.rate_limiter.attempt(PROVING, user.id) if user.totp_secret else nullcontext():
            return actions.sign_in(
                services.database,
                user=user,
                otp=otp,
                user_agent=user_agent(),
                policy=services.issuer.session,
                knows_device=device is not None,
            )
    except OtpRequired as asked:
        asked.pending = services.pending.issue(user)
        raise


def refresh(services: Services, refresh_token: str, session_id: str | None = None) -> actions.Opened:
    """Exchange a refresh token, of this session if given, for the next one.

    Raise InvalidRefreshToken or TooManyRequests.
    """
    context = current_context()
    client = Client(context.user_agent, client_network(context.client_address))
    with services.rate_limiter.attempt(REFRESHING):
        return actions.refresh(
            services.database,
            refresh_token=refresh_token,
            client=client,
            policy=services.issuer.session,
            session_id=session_id,
        )


def user_agent() -> str | None:
    """Return the User-Agent header, shortened and without unprintable characters."""
    sent = current_context().user_agent[:LONGEST_USER_AGENT]
    return "".join(filter(str.isprintable, sent)) or None
