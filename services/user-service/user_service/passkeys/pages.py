"""Pages of the caller's passkeys, and what their script asks for."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from chassis.pages.blueprint import public_pages, signed_in_pages
from chassis.pages.cookies import ACCOUNT_PATH, Cookie
from chassis.pages.forms import Form, form_page, read_form, read_json, typed
from chassis.pages.responses import go_to, page
from chassis.pages.urls import page_url
from chassis.pages.visitors import caller
from chassis.problems import Problem
from user_service.passkeys import actions, challenges, limited, queries, rules
from user_service.passkeys.challenges import Issued
from user_service.passkeys.rules import Site
from user_service.passkeys.schemas import AddForm, AnswerBody, NameForm, NewPasskeyBody, RemoveForm
from user_service.profile.pages import note_refusal
from user_service.services import current_services
from user_service.sessions.cookies import replace_session
from user_service.sessions.devices import device_name
from user_service.sessions.pages import following

HOME = "/account/passkeys"
CHALLENGE = Cookie("challenge", ACCOUNT_PATH)

passkey_pages = signed_in_pages("passkey pages", __name__, HOME)
passkey_sign_in = public_pages("passkey sign-in", __name__, f"{HOME}/sign-in")

passkey_pages.add_app_template_filter(rules.passkey_id, "passkey_id")


@passkey_pages.get("")
def list_passkeys() -> Response:
    """List the caller's passkeys."""
    passkeys = queries.list_passkeys(current_services().database, caller=caller())
    return page("passkeys/passkeys.html", passkeys=passkeys, most=rules.MOST_PASSKEYS, done=request.args.get("done"))


@passkey_pages.get("/add")
def ask_to_add() -> Response:
    """Ask for a name and the password; the page's script does the rest."""
    return page("passkeys/add.html", form=Form({"name": device_name(request.user_agent.string)}))


@passkey_pages.post("/options")
def options_to_add() -> Response:
    """Return the options for a new passkey, with a challenge in a cookie, once the password is confirmed."""
    services = current_services()
    form = AddForm.model_validate({name: request.form.get(name, "") for name in AddForm.model_fields})
    issued = services.challenges.issue(challenges.adding(caller().session_id))
    return _with_challenge(limited.options_to_add(services, caller(), _site(), issued.challenge, form), issued)


@passkey_pages.post("/add")
def add() -> Response:
    """Add the passkey that the browser made."""
    services = current_services()
    sent = read_json(NewPasskeyBody)
    signed = CHALLENGE.read(services.settings)
    challenge = services.challenges.read(challenges.adding(caller().session_id), signed)
    actions.add(services.database, caller=caller(), site=_site(), challenge=challenge, **sent.model_dump())
    return _lead_to(f"{HOME}?done=added")


@passkey_pages.get("/<passkey>/name")
def ask_for_name(passkey: str) -> Response:
    """Ask for another name."""
    known = _find(passkey)
    return page("passkeys/name.html", form=Form({"name": known.name}), passkey=known)


@passkey_pages.post("/<passkey>/name")
def rename(passkey: str) -> Response:
    """Rename a passkey."""
    known, form = _find(passkey), read_form(NameForm, typed(["name"]))
    if form.model is None:
        return page("passkeys/name.html", 400, form=form, passkey=known)
    actions.rename(
        current_services().database, caller=caller(), credential_id=known.credential_id, name=form.model.name
    )
    return go_to(f"{HOME}?done=renamed")


@passkey_pages.get("/<passkey>/remove")
def ask_to_remove(passkey: str) -> Response:
    """Ask for the password before a passkey is removed."""
    return page("passkeys/remove.html", form=Form({}), passkey=_find(passkey))


@passkey_pages.post("/<passkey>/remove")
def remove(passkey: str) -> Response:
    """Remove a passkey."""
    known = _find(passkey)
    form = read_form(RemoveForm, {"current_password": request.form.get("current_password", "")})
    if form.model:
        try:
            limited.remove(current_services(), caller(), known.credential_id, form.model.current_password)
            return go_to(f"{HOME}?done=removed")
        except Problem as refused:
            note_refusal(form, refused)
    return form_page("passkeys/remove.html", form, passkey=known)


@passkey_sign_in.post("/options")
def options_to_sign_in() -> Response:
    """Return the options to sign in with any passkey of the shop, with a challenge in a cookie."""
    issued = current_services().challenges.issue(challenges.SIGN_IN)
    return _with_challenge(rules.request_options(_site(), issued.challenge), issued)


@passkey_sign_in.post("")
def sign_in() -> Response:
    """Open a session and store it in cookies."""
    services = current_services()
    signed = CHALLENGE.read(services.settings)
    opened = limited.sign_in(services, _site(), signed, read_json(AnswerBody).credential)
    response = _lead_to(page_url(following()))
    replace_session(response, services, opened)
    return response


def _find(passkey: str) -> Any:
    """Return the caller's passkey that the URL names; raise NotFound."""
    credential_id = rules.credential_id(passkey)
    return queries.find_passkey(current_services().database, caller=caller(), credential_id=credential_id)


def _site() -> Site:
    """Return the host and the origin that this request names.

    A forged Host header gains nothing. A browser uses a passkey only on pages of the host that it was made for, and
    signs that host and the page's origin, so an answer for another host proves nothing about an account here.
    """
    if not current_services().settings.https:
        return rules.site("http", request.host)
    return rules.site("https", request.host.partition(":")[0])  # the shop's pages have the default port


def _with_challenge(options: dict[str, Any], issued: Issued) -> Response:
    response = jsonify(options)
    CHALLENGE.set(response, current_services().settings, issued.signed, challenges.SECONDS)
    return response


def _lead_to(url: str) -> Response:
    """Return the page that the script opens next, and forget the challenge."""
    response = jsonify(next=url)
    CHALLENGE.delete(response, current_services().settings)
    return response
