"""Request and response schemas of sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, RootModel, StringConstraints

from chassis.http.api import Path, Query, Shape, WholeNumber, identifier
from user_service.accounts.one_time_codes import LONGEST_CODE
from user_service.accounts.schemas import LONGEST_USERNAME, Password, normalised

LONGEST_DEVICE_TOKEN = 256


Otp = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_CODE)]


def _token_or_none(value: Any) -> Any:
    return value if isinstance(value, str) and len(value) <= LONGEST_DEVICE_TOKEN else None


class LoginBody(Shape):
    username: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=4 * LONGEST_USERNAME),
        BeforeValidator(normalised),
        Field(description="Or the email address of the account, once it is verified."),
    ]
    password: Password
    otp: Otp | None = Field(
        default=None, description="With a second factor: a code of the authenticator app, or a recovery code."
    )
    device_token: Annotated[
        Annotated[str, StringConstraints(max_length=LONGEST_DEVICE_TOKEN)] | None, BeforeValidator(_token_or_none)
    ] = Field(
        default=None, description="From this account's last sign-in on this device; any other value counts as none."
    )


class CodeForm(Shape):
    otp: Otp


class RefreshBody(Shape):
    refresh_token: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class TokensOut(BaseModel):
    token: str = Field(description="For the Authorization header of every service: `Bearer <token>`.")
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the token expires.")
    refresh_token: str = Field(
        description="Good for one POST /token/refresh. The same client may repeat that for a few seconds, until it "
        "uses the next token; any other second use ends the session."
    )


class SignedInOut(TokensOut):
    device_token: str = Field(
        description="To send with this account's next sign-in on this device within 30 days: guessing by others then"
        " does not delay it. Grants nothing else."
    )


class SessionPath(Path):
    session_id: Annotated[str, identifier(100)]


class LiveSessionOut(BaseModel):
    id: str
    device: str | None = Field(description="What the client called itself when it signed in.")
    created_at: datetime
    last_used_at: datetime = Field(description="When it was opened, or last refreshed.")
    current: bool


class LiveSessionsOut(RootModel[list[LiveSessionOut]]):
    pass


class KeysOut(BaseModel):
    """JWK set, RFC 7517."""

    keys: list[dict[str, Any]]


class FeedQuery(Query):
    after: WholeNumber = Field(default=0, ge=0, le=2**63 - 1, description="The version that the caller has seen.")
    limit: WholeNumber = Field(default=1000, ge=1, le=1000)


class EndingOut(BaseModel):
    version: int
    at: datetime
    session_id: str | None = Field(description="A session that ended,")
    user_id: str | None = Field(description="or an account whose personal data is to be erased.")


class FeedOut(BaseModel):
    version: int = Field(description="The last version in here; to be sent as `after` next time.")
    endings: list[EndingOut]
