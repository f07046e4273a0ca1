"""Validate forms with the schemas of the API; keep what was typed and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import orjson
from flask import Response, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chassis.pages.errors import sentence, shown_headers
from chassis.pages.responses import page
from chassis.problems import InvalidRequest, Problem, UnsupportedMediaType

_VERBS = frozenset({"contains", "has", "is", "may", "must", "needs"})

Model = TypeVar("Model", bound=BaseModel)


class Form(Generic[Model]):
    """A form as it was sent: `values` as typed, `errors` by field, and `model` when nothing is wrong.

    The error of the field "" is about the form as a whole.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.errors: dict[str, str] = {}
        self.model: Model | None = None
        self.status, self.headers = 400, dict[str, str]()

    def refuse(self, text: str, field: str = "") -> None:
        """Note what is wrong with a field; a text that begins with a verb, such as "is missing", follows its name."""
        name = field.replace("_", " ").capitalize()
        follows = name and text.split(" ", 1)[0] in _VERBS
        self.errors.setdefault(field, sentence(f"{name} {text}" if follows else text))

    def answer_as(self, problem: Problem) -> None:
        """Show the form with the status of this Problem, and with its headers, such as Retry-After."""
        self.status, self.headers = problem.status, shown_headers(problem)

    def refuse_with(self, problem: Problem, field: str = "") -> None:
        """Note what a Problem says, beside the fields that it names."""
        for fault in problem.members.get("errors") or [{"member": field, "message": problem.error}]:
            self.refuse(fault["message"], fault["member"].rpartition(".")[2])


def form_page(template: str, form: Form[Any], **variables: Any) -> Response:
    """Return the page that shows a refused form again."""
    response = page(template, form.status, form=form, **variables)
    response.headers.update(form.headers)
    return response


def accept(
    form: Form[Model],
    template: str,
    act: Callable[[Model], Response],
    note: Callable[[Form[Any], Problem], None],
    **variables: Any,
) -> Response:
    """Return what `act` returns for a valid form; otherwise show it again, with what `note` says of a Problem."""
    if form.model:
        try:
            return act(form.model)
        except Problem as refused:
            note(form, refused)
    return form_page(template, form, **variables)


def typed(names: Iterable[str]) -> dict[str, str]:
    """Return these fields of the request's form, trimmed."""
    return {name: request.form.get(name, "").strip() for name in names}


def read_form(model: type[Model], values: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Form[Model]:
    """Return the form; a blank field counts as left out. `given` is validated instead of `values`."""
    form: Form[Model] = Form(values)
    try:
        filled = {name: value for name, value in values.items() if value != ""} if given is None else given
        form.model = model.model_validate(filled)
    except ValidationError as failure:
        for fault in failure.errors(include_url=False):
            form.refuse(_words(fault), str(fault["loc"][-1]) if fault["loc"] else "")
    return form


def read_json(model: type[Model]) -> Model:
    """Return the body that a script of our own page sent; raise what becomes a Problem when it does not fit."""
    if not request.is_json:
        raise UnsupportedMediaType
    try:
        sent = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as failure:
        raise InvalidRequest(f"the body is not valid JSON: {failure.msg}", position=failure.pos) from failure
    return model.model_validate(sent)


def _words(fault: ErrorDetails) -> str:
    limits = fault.get("ctx", {})
    if fault["type"] == "missing" or (fault["type"] == "string_too_short" and limits["min_length"] == 1):
        return "is missing"
    if fault["type"] == "string_too_short":
        return f"needs at least {limits['min_length']} characters"
    if fault["type"] == "string_too_long":
        return f"may have at most {limits['max_length']} characters"
    return fault["msg"]
