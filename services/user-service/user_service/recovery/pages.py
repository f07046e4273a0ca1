"""Pages that confirm an address and reset a forgotten password.

The link in a mail carries its code behind the "#", which browsers send to no server, so that it stands in no log of any
proxy. The page's script writes it into the field; without JavaScript people copy it from the mail.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request

from chassis.http.api import checks_session
from chassis.pages.blueprint import public_pages, signed_in_pages
from chassis.pages.forms import Form, Model, accept, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.visitors import SIGN_IN, caller
from chassis.problems import Problem, TooManyRequests
from user_service.accounts.hashing import Busy
from user_service.accounts.rules import WeakPassword
from user_service.recovery import limited
from user_service.recovery.rules import EmailTaken, InvalidMailToken, NothingToConfirm
from user_service.recovery.schemas import ConfirmEmailBody, ForgottenBody, ResetBody
from user_service.services import current_services
from user_service.sessions.pages import HOME, REFUSALS

CONFIRM_PAGE, RESET_PAGE = f"{HOME}/email/confirm", f"{HOME}/password/new"

recovery_pages = public_pages("recovery pages", __name__, HOME)
confirmation_pages = signed_in_pages("confirmation pages", __name__, HOME)

_TEXTS = {
    InvalidMailToken.code: "This code was used before, or is too old. Please ask for a new mail.",
    EmailTaken.code: "Another account has this email address. Please sign in to that one, or change the address there.",
    TooManyRequests.code: "Too many mails were asked for. Please wait a while, then try again.",
    Busy.code: REFUSALS[Busy.code],
}


@recovery_pages.get("/password/forgotten")
def ask_for_address() -> Response:
    """Ask for the email address of the account."""
    return page("recovery/forgotten.html", form=Form({}), done=request.args.get("done"))


@recovery_pages.post("/password/forgotten")
def forgotten() -> Response:
    """Have a mail sent if an account has this address; the page says the same in either case."""

    def note(body: ForgottenBody) -> Response:
        limited.note_forgotten(current_services(), body)
        return go_to(f"{HOME}/password/forgotten?done=sent")

    return accept(read_form(ForgottenBody, typed(["email"])), "recovery/forgotten.html", note, note_refusal)


@recovery_pages.get("/password/new")
def ask_for_new_password() -> Response:
    """Ask for the code from the mail and a new password."""
    return page("recovery/new-password.html", form=Form({}))


@recovery_pages.post("/password/new")
def reset_password() -> Response:
    """Set the new password, and lead to the sign-in."""
    fields = typed(["token"]) | {"new_password": request.form.get("new_password", "")}

    def reset(body: ResetBody) -> Response:
        limited.reset_password(current_services(), body)
        return go_to(f"{SIGN_IN}?done=reset")

    return accept(read_code(ResetBody, fields), "recovery/new-password.html", reset, note_refusal)


@recovery_pages.get("/email/confirm")
def ask_to_confirm() -> Response:
    """Ask for the code from the mail; opening a link confirms nothing, as programs that scan mails open links too."""
    return page("recovery/confirm.html", form=Form({}), done=request.args.get("done"))


@recovery_pages.post("/email/confirm")
def confirm() -> Response:
    """Confirm the address."""

    def confirm_address(body: ConfirmEmailBody) -> Response:
        limited.confirm(current_services(), body)
        return go_to(f"{CONFIRM_PAGE}?done=confirmed")

    form = read_code(ConfirmEmailBody, typed(["token"]))
    return accept(form, "recovery/confirm.html", confirm_address, note_refusal)


@confirmation_pages.post("/email/again")
@checks_session
def send_again() -> Response:
    """Have the mail sent again that asks to confirm the address."""
    try:
        limited.send_again(current_services(), caller())
    except NothingToConfirm:
        return go_to(HOME)  # confirmed meanwhile, perhaps in another tab
    return go_to(f"{HOME}?done=sent")


def read_code(model: type[Model], fields: dict[str, str]) -> Form[Model]:
    form = read_form(model, fields)
    if "token" in form.errors:
        form.errors["token"] = "Please enter the code from the mail."
    return form


def note_refusal(form: Form[Any], refused: Problem) -> None:
    """Note a Problem beside its field, and its status; raise what the form cannot show."""
    form.answer_as(refused)
    if isinstance(refused, WeakPassword):
        form.refuse(f"The {refused.error}. Please choose another.", "new_password")
    elif refused.code in _TEXTS:
        form.refuse(_TEXTS[refused.code], "token" if isinstance(refused, InvalidMailToken) else "")
    else:
        raise refused
