"""Blueprints with their guards, and the base models of path, query, headers and body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticKnownError

from chassis.auth.service_credential import require_service
from chassis.auth.tokens import require_user
from chassis.context import Caller, Services

View = TypeVar("View", bound=Callable[..., Any])

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"  # PostgreSQL refuses NUL; no real text needs the other control characters


_DIGITS = re.compile(r"-?[0-9]+")


def _in_digits(value: Any) -> Any:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise PydanticKnownError("int_parsing")
    return value


WholeNumber = Annotated[int, BeforeValidator(_in_digits)]
"""An integer of a query string, in decimal digits; Pydantic alone also reads 1_0, 1.0 and " 1"."""


class Shape(BaseModel):
    """A request body: exactly these members, of exactly these types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(Shape):
    """A query string: exactly these parameters, each converted from its text."""

    model_config = ConfigDict(strict=False)


class Headers(Query):
    """The request headers that a route reads; clients send many others."""

    model_config = ConfigDict(extra="ignore")


class Path(Query):
    """The variable parts of a URL."""


class PageQuery(Query):
    """One page of a list: continue after the cursor in the `Link` header of the page before."""

    limit: WholeNumber = Field(default=100, ge=1, le=100, description="How many at most.")
    after: str | None = Field(default=None, max_length=200, description="Opaque: taken from the `Link` header.")


def line(longest: int, shortest: int = 0) -> StringConstraints:
    """Return the constraints of a trimmed text without control characters."""
    return StringConstraints(strip_whitespace=True, min_length=shortest, max_length=longest, pattern=PRINTABLE)


def identifier(longest: int) -> StringConstraints:
    """Constrain an id in a path; it is not trimmed, so that each resource has one URL."""
    return StringConstraints(min_length=1, max_length=longest, pattern=PRINTABLE)


class Guard(NamedTuple):
    """The authentication of a blueprint's routes.

    `authenticate` takes the service's `Services` and the Authorization header; it returns the caller or raises a
    Problem.
    """

    authenticate: Callable[[Any, str], Caller | None]
    has_caller: bool = False


class GuardedBlueprint(APIBlueprint):
    """A blueprint of API routes behind one guard; the dispatcher serves no others."""

    guard: Guard


def _blueprint(name: str, import_name: str, guard: Guard, scheme: str | None) -> GuardedBlueprint:
    security: list[dict[str, list[Any]]] | None = [{scheme: []}] if scheme else None
    blueprint = GuardedBlueprint(name, import_name, abp_tags=[Tag(name=name)], abp_security=security)
    blueprint.guard = guard
    return blueprint


def _anybody(_services: Services, _authorization: str) -> None:
    """Accept every request."""


ANYBODY = Guard(_anybody)


def public(name: str, import_name: str) -> GuardedBlueprint:
    """Return a blueprint without authentication."""
    return _blueprint(name, import_name, ANYBODY, None)


def signed_in(name: str, import_name: str) -> GuardedBlueprint:
    """Return a blueprint for callers with a valid token whose session goes on; both are checked before anything else.

    A route with `checks_session` checks the session in its own statement.
    """
    return _blueprint(name, import_name, Guard(require_user, has_caller=True), "bearer")


def services_only(name: str, import_name: str) -> GuardedBlueprint:
    """Return a blueprint for the other services, which send the service credential."""
    return _blueprint(name, import_name, Guard(require_service), "service")


def checks_session(view: View) -> View:
    """Mark a signed-in route whose own statement refuses an ended session: no other statement checks it before."""
    view.checks_session = True  # type: ignore[attr-defined]
    return view
