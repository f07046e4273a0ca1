"""Shapes of signing in on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from chassis.api import Shape
from user_service.accounts.schemas import Password


class LoginBody(Shape):
    username: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    password: Password


class RefreshBody(Shape):
    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class TokensOut(BaseModel):
    token: str = Field(description="For the Authorization header of every service: `Bearer <token>`.")
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the token expires.")
    refresh_token: str = Field(description="Good for one POST /token/refresh. Using it twice ends the session.")
