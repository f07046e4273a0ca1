"""The page that opens an account and signs in."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, request

from chassis.pages.blueprint import public_pages
from chassis.pages.forms import Form, form_page, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.urls import page_url
from chassis.pages.visitors import SIGN_IN
from chassis.problems import Problem, TooManyRequests
from user_service.accounts import limited as accounts
from user_service.accounts import rules
from user_service.accounts.hashing import Busy
from user_service.accounts.schemas import RegisterBody
from user_service.services import current_services
from user_service.sessions import limited
from user_service.sessions.cookies import replace_session, store_device
from user_service.sessions.pages import REFUSALS, following
from user_service.sessions.schemas import LoginBody

sign_up_pages = public_pages("sign-up pages", __name__, "/account")

_FIELDS = {
    rules.UsernameTaken.code: ("username", "This username is taken. Please choose another."),
}


@sign_up_pages.get("/sign-up")
def ask_to_sign_up() -> Response:
    """Ask for a username and a password."""
    return page("sessions/sign-up.html", form=Form({}), following=following())


def ask_again(form: Form[RegisterBody]) -> Response:
    return form_page("sessions/sign-up.html", form, following=following())


@sign_up_pages.post("/sign-up")
def sign_up() -> Response:
    """Create an account, and a session in it."""
    services = current_services()
    form = read_form(
        RegisterBody, typed(["username", "name", "email"]) | {"password": request.form.get("password", "")}
    )
    if form.model is None:
        return ask_again(form)
    try:
        accounts.register(services, form.model)
    except Problem as refused:
        return refused_form(form, refused)
    try:
        signed_in = limited.sign_in(services, LoginBody(username=form.model.username, password=form.model.password))
    except (TooManyRequests, Busy):
        return go_to(f"{SIGN_IN}?{urlencode({'done': 'signed-up', 'next': following()})}")  # the account is open
    response = go_to(page_url(following()))
    replace_session(response, services, signed_in.opened)
    store_device(response, services, signed_in.device_token)
    return response


def refused_form(form: Form[RegisterBody], refused: Problem) -> Response:
    if refused.code in _FIELDS:
        field, text = _FIELDS[refused.code]
        form.refuse(text, field)
    elif isinstance(refused, rules.WeakPassword):
        form.refuse(f"The {refused.error}. Please choose another.", "password")
    elif refused.code in REFUSALS:
        form.refuse(REFUSALS[refused.code])
    else:
        raise refused
    form.answer_as(refused)
    return ask_again(form)
