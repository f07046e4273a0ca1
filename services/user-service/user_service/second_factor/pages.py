"""Pages of the caller's second factor."""

from __future__ import annotations

from typing import Any

import segno
from flask import Response, request

from chassis.pages.blueprint import signed_in_pages
from chassis.pages.forms import Form, accept, form_page, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.visitors import caller
from chassis.problems import Conflict, Problem
from user_service.profile.rules import WrongPassword
from user_service.second_factor import limited, queries
from user_service.second_factor.rules import WrongCode
from user_service.second_factor.schemas import BeginBody, ChangeBody, ConfirmBody
from user_service.services import current_services
from user_service.sessions.pages import REFUSALS
from user_service.sessions.rules import OtpWrong, ProofNeeded

HOME = "/account/second-factor"

second_factor_pages = signed_in_pages("second factor pages", __name__, HOME)

_FIELDS = {
    WrongPassword.code: ("password", "Wrong password."),
    WrongCode.code: ("otp", REFUSALS[OtpWrong.code]),
}
_NEW_CODES: dict[str, Any] = {
    "title": "Get new recovery codes",
    "text": "The recovery codes that you have then no longer work.",
}
_OFF: dict[str, Any] = {
    "title": "Switch it off",
    "text": "Your password alone then opens your account, and your recovery codes no longer work.",
    "danger": True,
}


@second_factor_pages.get("")
def show() -> Response:
    """Show whether it is on; offer to switch it on, or off."""
    return page("second_factor/state.html", form=Form({}), done=request.args.get("done"), **_state())


@second_factor_pages.post("")
def begin() -> Response:
    """Show the picture for the app once the password is confirmed."""
    form = read_form(BeginBody, {"password": request.form.get("password", "")})
    if form.model:
        try:
            offered = limited.offer(current_services(), caller(), form.model)
        except Problem as refused:
            _note(form, refused)
        else:
            picture = segno.make(offered["uri"], error="m").svg_inline(scale=5, light="white")
            return page("second_factor/confirm.html", form=Form({}), offered=offered, picture=picture)
    return form_page("second_factor/state.html", form, **_state())


@second_factor_pages.post("/confirm")
def confirm() -> Response:
    """Switch it on and show the recovery codes, once."""

    def switch_on(body: ConfirmBody) -> Response:
        codes = limited.switch_on(current_services(), caller(), body)
        return page("second_factor/codes.html", codes=codes, text="Two-step sign-in is on.")

    return accept(read_form(ConfirmBody, typed(["otp"])), "second_factor/confirm.html", switch_on, _note)


@second_factor_pages.get("/codes")
def ask_to_renew_codes() -> Response:
    """Ask for password and code before the recovery codes are replaced."""
    return page("second_factor/change.html", form=Form({}), **_NEW_CODES)


@second_factor_pages.post("/codes")
def renew_codes() -> Response:
    """Replace the recovery codes and show the new ones, once."""

    def renew(body: ChangeBody) -> Response:
        codes = limited.renew_codes(current_services(), caller(), body)
        return page("second_factor/codes.html", codes=codes, text="These are your new recovery codes.")

    return accept(_read_change(), "second_factor/change.html", renew, _note, **_NEW_CODES)


@second_factor_pages.get("/off")
def ask_to_switch_off() -> Response:
    """Ask for password and code before it is switched off."""
    return page("second_factor/change.html", form=Form({}), **_OFF)


@second_factor_pages.post("/off")
def switch_off() -> Response:
    """Switch it off."""

    def forget(body: ChangeBody) -> Response:
        limited.switch_off(current_services(), caller(), body)
        return go_to(f"{HOME}?done=off")

    return accept(_read_change(), "second_factor/change.html", forget, _note, **_OFF)


def _state() -> dict[str, Any]:
    return queries.show_state(current_services().database, caller=caller())


def _read_change() -> Form[ChangeBody]:
    return read_form(ChangeBody, typed(["otp"]) | {"password": request.form.get("password", "")})


def _note(form: Form[Any], refused: Problem) -> None:
    """Note a Problem beside its field, and its status; raise what the form cannot show."""
    form.answer_as(refused)
    if refused.code in _FIELDS:
        field, text = _FIELDS[refused.code]
        form.refuse(text, field)
    elif isinstance(refused, Conflict | ProofNeeded):
        form.refuse_with(refused)
    elif refused.code in REFUSALS:
        form.refuse(REFUSALS[refused.code])
    else:
        raise refused
