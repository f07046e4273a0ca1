"""Blueprints with their guards, and the base models of path, query, headers and body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

from annotated_types import GroupedMetadata
from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.utils import parse_rule
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError, PydanticKnownError

from chassis.auth.roles import require_staff
from chassis.auth.service_credential import require_service
from chassis.auth.tokens import require_user
from chassis.context import Caller, Services
from chassis.http.pagination import LONGEST_CURSOR
from chassis.text import invisible_character, normalised

View = TypeVar("View", bound=Callable[..., Any])


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
    after: str | None = Field(
        default=None, max_length=LONGEST_CURSOR, description="Opaque: taken from the `Link` header."
    )


@dataclass(frozen=True)
class _Line(GroupedMetadata):
    longest: int
    shortest: int

    def __iter__(self) -> Iterator[Any]:
        yield StringConstraints(strip_whitespace=True, min_length=self.shortest, max_length=self.longest)
        yield BeforeValidator(self._normalised)

    def _normalised(self, value: Any) -> Any:
        if not isinstance(value, str) or (value.isascii() and value.isprintable()):
            return value
        value = value.strip()
        if len(value) > 4 * self.longest:
            return value  # refused later; normalising it could take seconds, because the cost is quadratic
        return _visible(normalised(value))


@dataclass(frozen=True)
class _Identifier(GroupedMetadata):
    longest: int

    def __iter__(self) -> Iterator[Any]:
        yield StringConstraints(min_length=1, max_length=self.longest)
        yield AfterValidator(_visible)


def _visible(text: str) -> str:
    if not (text.isascii() and text.isprintable()) and (found := invisible_character(text)):
        message = "contains {character}, a control or invisible character: leave it out"
        raise PydanticCustomError("invisible_character", message, {"character": found})
    return text


def line(longest: int, shortest: int = 0) -> GroupedMetadata:
    """Return the constraints of a one-line text: trimmed, in NFC, without invisible characters."""
    return _Line(longest, shortest)


BLANK_IS_NONE = AfterValidator(lambda text: text or None)
"""For optional members: forms send an empty text for what a person left out."""


def identifier(longest: int) -> GroupedMetadata:
    """Return the constraints of an id in a path; it is not trimmed, so that each resource has one URL."""
    return _Identifier(longest)


class Guard(NamedTuple):
    """The authentication of a blueprint's routes, and what it asks of a caller whose session goes on.

    `authenticate` takes the service's `Services` and the Authorization header; it returns the caller or raises a
    Problem. `authorize` raises a Problem for a caller who may not call the routes.
    """

    authenticate: Callable[[Any, str], Caller | None]
    has_caller: bool = False
    authorize: Callable[[Any, Caller], None] | None = None


class GuardedBlueprint(APIBlueprint):
    """A blueprint of API routes behind one guard; the dispatcher serves no others."""

    guard: Guard

    def _collect_openapi_info(self, rule: str, func: Any, *, responses: Any = None, **options: Any) -> Any:
        """Describe a route with the headers of its success and the schemas of its problems."""
        found = super()._collect_openapi_info(rule, func, responses=responses, **options)
        operation = getattr(self.paths[parse_rule(rule)], options["method"].lower())
        for status, response in operation.responses.items():
            if status.startswith("2"):
                response.headers = getattr(responses, "headers", {})
        self.components_schemas.update(getattr(responses, "schemas", {}))
        return found


def _blueprint(name: str, import_name: str, guard: Guard, scheme: str | None) -> GuardedBlueprint:
    security: list[dict[str, list[Any]]] | None = [{scheme: []}] if scheme else None
    blueprint = GuardedBlueprint(
        name,
        import_name,
        abp_tags=[Tag(name=name)],
        abp_security=security,
        operation_id_callback=lambda *, name, **_: name,
    )
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


def staff(name: str, import_name: str) -> GuardedBlueprint:
    """Return a blueprint for callers with the role of staff; their session is checked before, by the dispatcher."""
    return _blueprint(name, import_name, Guard(require_user, has_caller=True, authorize=require_staff), "bearer")


def services_only(name: str, import_name: str) -> GuardedBlueprint:
    """Return a blueprint for the other services, which send the service credential."""
    return _blueprint(name, import_name, Guard(require_service), "service")


def checks_session(view: View) -> View:
    """Mark a signed-in route whose own statement refuses an ended session: no other statement checks it before."""
    view.checks_session = True  # type: ignore[attr-defined]
    return view
