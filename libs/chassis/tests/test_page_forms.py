"""Forms keep what was typed, and say beside each field what is wrong."""

from __future__ import annotations

from typing import Annotated

import pytest
from flask import Flask, render_template_string

from chassis.http.api import Shape, line
from chassis.http.postal import Address
from chassis.pages.forms import Form, read_form, read_json, typed
from chassis.problems import InvalidRequest, Problem, UnsupportedMediaType


class Person(Shape):
    name: Annotated[str, line(10, 3)]
    nickname: Annotated[str, line(5)] | None = None


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"name": ""}, {"name": "Name is missing."}),
        ({}, {"name": "Name is missing."}),
        ({"name": "ab"}, {"name": "Name needs at least 3 characters."}),
        ({"name": "a" * 11}, {"name": "Name may have at most 10 characters."}),
        (
            {"name": "ab", "nickname": "abcdef"},
            {"name": "Name needs at least 3 characters.", "nickname": "Nickname may have at most 5 characters."},
        ),
        (
            {"name": "a\u202eb"},
            {"name": "Name contains U+202E, a control or invisible character: leave it out."},
        ),
    ],
)
def test_each_wrong_field_gets_a_sentence(values: dict[str, str], errors: dict[str, str]) -> None:
    form = read_form(Person, values)
    assert form.model is None
    assert form.errors == errors
    assert form.values == values


def test_a_right_form_has_a_model_and_no_errors() -> None:
    form = read_form(Person, {"name": " Ada ", "nickname": ""})
    assert form.model == Person(name="Ada")
    assert form.errors == {}


def test_values_are_shown_while_others_are_validated() -> None:
    form = read_form(Person, {"name": "typed"}, {"name": "given", "nickname": None})
    assert (form.values, form.model) == ({"name": "typed"}, Person(name="given"))


def test_an_error_of_an_address_stands_beside_its_own_field() -> None:
    form = read_form(Address, {"street": "", "city": "Bonn", "country": "XX"})
    assert set(form.errors) == {"street", "country"}
    assert form.errors["country"] == "Country is not a code of ISO 3166, which has two letters, such as DE."


def test_the_first_error_of_a_field_stays() -> None:
    form: Form[Person] = Form({})
    form.refuse("is taken", "user_name")
    form.refuse("is too short", "user_name")
    form.refuse("Too many attempts.")
    assert form.errors == {"user_name": "User name is taken.", "": "Too many attempts."}


def test_a_problem_is_noted_beside_the_fields_that_it_names() -> None:
    form: Form[Person] = Form({})
    form.refuse_with(InvalidRequest("phone: wrong", errors=[{"member": "a.phone", "message": "is no number"}]))
    form.refuse_with(Problem("it broke"), "name")
    assert form.errors == {"phone": "Phone is no number.", "name": "It broke."}


def test_typed_fields_are_trimmed_and_missing_ones_blank(app: Flask) -> None:
    with app.test_request_context("/", method="POST", data={"name": "  Ada ", "other": "x"}):
        assert typed(["name", "nickname"]) == {"name": "Ada", "nickname": ""}


@pytest.mark.parametrize("body", ["[" * 30_000, '{"name":' * 4_000, "{", "", "NaN", "\xff"])
def test_json_that_cannot_be_read_is_refused(app: Flask, body: str) -> None:
    with (
        app.test_request_context("/", method="POST", data=body.encode("latin-1"), content_type="application/json"),
        pytest.raises(InvalidRequest, match="not valid JSON"),
    ):
        read_json(Person)


def test_json_is_read_as_json_alone(app: Flask) -> None:
    with app.test_request_context("/", method="POST", json={"name": "Ada"}):
        assert read_json(Person) == Person(name="Ada")
    with (
        app.test_request_context("/", method="POST", data='{"name": "Ada"}', content_type="text/plain"),
        pytest.raises(UnsupportedMediaType),
    ):
        read_json(Person)


FIELDS = """{% from "pages/forms.html" import field, summary %}{{ summary(form) }}
{{ field(form, "name", "Name", required=true) }}{{ field(form, "password", "Password", type="password") }}"""


def test_a_field_shows_what_was_typed_and_its_error_but_no_password(app: Flask) -> None:
    form: Form[Person] = Form({"name": '"><b>x', "password": "hunter2"})
    form.refuse("is taken", "name")
    with app.test_request_context("/"):
        html = render_template_string(FIELDS, form=form)
    assert 'value="&#34;&gt;&lt;b&gt;x"' in html
    assert '<p class="error" id="name-error">Name is taken.</p>' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="name-error"' in html
    assert '<a href="#name">Name is taken.</a>' in html
    assert "hunter2" not in html
