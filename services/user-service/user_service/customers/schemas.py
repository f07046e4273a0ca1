"""Request and response schemas of customers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, RootModel

from chassis.http.api import PageQuery, Path, identifier, line
from chassis.http.postal import AddressOut


class CustomerQuery(PageQuery):
    q: Annotated[str, line(200)] | None = Field(
        default=None, description="A part of the username, the name or the email address, in any case; or the whole id."
    )


class CustomerPath(Path):
    customer_id: Annotated[str, identifier(100)]


class CustomerSessionPath(CustomerPath):
    session_id: Annotated[str, identifier(100)]


class CustomerOut(BaseModel):
    id: str
    username: str
    name: str | None
    email: str | None
    phone: str | None
    shipping_address: AddressOut | None
    registered_at: datetime
    disabled_at: datetime | None = Field(description="Null: the customer can sign in.")
    roles: list[str]
    second_factor_since: datetime | None


class CustomersOut(RootModel[list[CustomerOut]]):
    pass


class CustomerSessionOut(BaseModel):
    id: str
    device: str | None
    created_at: datetime
    last_used_at: datetime
    second_factor: bool


class CustomerSessionsOut(RootModel[list[CustomerSessionOut]]):
    pass
