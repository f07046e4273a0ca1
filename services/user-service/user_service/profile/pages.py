"""Pages of the caller's own account."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from chassis.http.api import checks_session
from chassis.http.postal import Address
from chassis.pages.blueprint import signed_in_pages
from chassis.pages.cookies import DEVICE
from chassis.pages.forms import Form, accept, form_page, read_form, typed
from chassis.pages.responses import download_json, go_to, page
from chassis.pages.visitors import SIGN_IN, caller
from chassis.problems import Problem
from user_service.accounts.rules import WeakPassword
from user_service.profile import limited, queries
from user_service.profile.rules import InvalidPhone, WrongPassword
from user_service.profile.schemas import DeletionBody, PasswordBody, ProfileChanges
from user_service.services import current_services
from user_service.sessions.cookies import forget_session
from user_service.sessions.pages import HOME, REFUSALS

profile_pages = signed_in_pages("profile pages", __name__, "/account")

_FIELDS = {
    WrongPassword.code: ("current_password", "Wrong password."),
}


def read_profile() -> dict[str, Any]:
    return queries.read_profile(current_services().database, caller=caller())


@profile_pages.get("")
@checks_session
def show_profile() -> Response:
    """Show name, email and phone in a form."""
    profile = read_profile()
    return page("profile/profile.html", form=Form(profile), profile=profile, done=request.args.get("done"))


@profile_pages.post("")
@checks_session
def change_profile() -> Response:
    """Change name, email and phone."""
    profile = read_profile()
    fields = typed(["name", "email", "phone"]) | {"current_password": request.form.get("current_password", "")}
    changes = {name: fields[name] or None for name in ("name", "phone")}
    if fields["email"] != (profile["email"] or ""):
        changes |= {"email": fields["email"] or None, "current_password": fields["current_password"] or None}
    form = read_form(ProfileChanges, fields, changes)
    if form.errors.pop("", None):  # the schema's only fault of a whole profile
        form.refuse("Please enter your password too: it is needed for a new email address.", "current_password")
    return _saved(form, HOME) or form_page("profile/profile.html", form, profile=profile)


@profile_pages.get("/address")
@checks_session
def show_address() -> Response:
    """Show the shipping address in a form."""
    address = read_profile()["shipping_address"]
    return page("profile/address.html", form=Form(address or {}), saved=address, done=request.args.get("done"))


@profile_pages.post("/address")
@checks_session
def change_address() -> Response:
    """Save the shipping address, or remove it."""
    fields = typed(Address.model_fields)
    if request.form.get("do") == "remove":
        form = read_form(ProfileChanges, {}, {"shipping_address": None})
    else:
        given = {name: value for name, value in fields.items() if value}
        form = read_form(ProfileChanges, fields, {"shipping_address": given})
    return _saved(form, f"{HOME}/address") or form_page("profile/address.html", form, saved=None)


def _saved(form: Form[ProfileChanges], url: str) -> Response | None:
    """Save the changes and lead to `url`; return None when the form must be shown again."""
    if form.model is None:
        return None
    try:
        limited.change_profile(current_services(), caller(), form.model)
    except Problem as refused:
        note_refusal(form, refused)
        return None
    return go_to(f"{url}?done=saved")


def note_refusal(form: Form[Any], refused: Problem) -> None:
    """Note a Problem beside its field, and its status; raise what the form cannot show."""
    form.answer_as(refused)
    if refused.code in _FIELDS:
        field, text = _FIELDS[refused.code]
        form.refuse(text, field)
    elif isinstance(refused, InvalidPhone):
        form.refuse_with(refused)
    elif isinstance(refused, WeakPassword):
        form.refuse(f"The {refused.error}. Please choose another.", "new_password")
    elif refused.code in REFUSALS:
        form.refuse(REFUSALS[refused.code])
    else:
        raise refused


@profile_pages.get("/password")
def ask_for_passwords() -> Response:
    """Ask for the old and the new password."""
    return page("profile/password.html", form=Form({}), done=request.args.get("done"))


@profile_pages.post("/password")
@checks_session
def change_password() -> Response:
    """Set a new password; all other devices are signed out."""
    fields = {name: request.form.get(name, "") for name in PasswordBody.model_fields}

    def save(body: PasswordBody) -> Response:
        limited.change_password(current_services(), caller(), body)
        return go_to(f"{HOME}/password?done=saved")

    return accept(read_form(PasswordBody, fields), "profile/password.html", save, note_refusal)


@profile_pages.get("/data")
def show_data() -> Response:
    """Offer the caller's data for download, and the deletion of the account."""
    return page("profile/data.html")


@profile_pages.get("/data/account.json")
@checks_session
def download() -> Response:
    """Download what user-service knows about the caller."""
    document = orjson.dumps(queries.export(current_services().database, caller=caller()), option=orjson.OPT_INDENT_2)
    return download_json(document, "account.json")


@profile_pages.get("/delete")
def ask_to_delete() -> Response:
    """Ask for the password before the account is deleted."""
    return page("profile/delete.html", form=Form({}))


@profile_pages.post("/delete")
@checks_session
def delete() -> Response:
    """Delete the account and forget its cookies."""
    form = read_form(DeletionBody, {"password": request.form.get("password", "")})
    services = current_services()
    if form.model:
        try:
            limited.delete_account(services, caller(), form.model)
        except WrongPassword as refused:
            form.answer_as(refused)
            form.refuse(_FIELDS[refused.code][1], "password")
        except Problem as refused:
            note_refusal(form, refused)
        else:
            response = go_to(f"{SIGN_IN}?done=deleted")
            forget_session(response, services)
            DEVICE.delete(response, services.settings)
            return response
    return form_page("profile/delete.html", form)
