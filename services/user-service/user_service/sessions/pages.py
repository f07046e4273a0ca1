"""Pages that sign in and out, renew tokens, and list the caller's devices."""

from __future__ import annotations

from flask import Response, request

from chassis.http.api import checks_session
from chassis.pages.blueprint import public_pages, signed_in_pages
from chassis.pages.cookies import ACCOUNT_PATH, DEVICE, Cookie
from chassis.pages.forgery import pass_on
from chassis.pages.forms import Form, form_page, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.urls import page_url, safe_next, with_next
from chassis.pages.visitors import SIGN_IN, caller
from chassis.problems import InvalidToken, Problem, TooManyRequests
from user_service.accounts.hashing import Busy
from user_service.services import current_services
from user_service.sessions import actions, limited, pending, queries
from user_service.sessions.cookies import forget_session, note_renewal, renew_session, replace_session, store_device
from user_service.sessions.devices import device_name
from user_service.sessions.rules import AccountDisabled, InvalidCredentials, OtpRequired, OtpWrong
from user_service.sessions.schemas import CodeForm, LoginBody, SessionPath

session_pages = public_pages("session pages", __name__, "/account")
device_pages = signed_in_pages("device pages", __name__, "/account")

device_pages.add_app_template_filter(device_name, "device")

HOME = "/account"
PENDING = Cookie("sign-in", ACCOUNT_PATH)
_NOTICES = {
    "expired": "That took too long. Please sign in again.",
    "deleted": "Your account is deleted.",
    "reset": "Your password is changed. Please sign in.",
    "signed-out": "You are signed out.",
    "signed-up": "Your account is open. Please sign in.",
}
REFUSALS = {
    InvalidCredentials.code: "That username and password do not match.",
    AccountDisabled.code: "This account is disabled. Please write to us.",
    OtpWrong.code: "This code is wrong or was used before. Please wait for the next one.",
    TooManyRequests.code: "Too many attempts. Please wait a moment, then try again.",
    Busy.code: "Too many people are signing in right now. Please try again.",
}


def following() -> str:
    """Return the page that the visitor came from, on whichever service it is."""
    return safe_next(request.args.get("next"), HOME)


@session_pages.get("/sign-in")
def ask_to_sign_in() -> Response:
    """Ask for username and password."""
    notice = _NOTICES.get(request.args.get("done", ""))
    return page("sessions/sign-in.html", form=Form({}), notice=notice, following=following())


def ask_again(form: Form[LoginBody]) -> Response:
    return form_page("sessions/sign-in.html", form, following=following())


@session_pages.post("/sign-in")
def sign_in() -> Response:
    """Open a session and store it in cookies."""
    services = current_services()
    fields = typed(["username"]) | {"password": request.form.get("password", "")}
    device = {"device_token": DEVICE.read(services.settings)}
    form = read_form(LoginBody, fields, fields | device)
    if form.model is None:
        return ask_again(form)
    try:
        signed_in = limited.sign_in(services, form.model)
    except OtpRequired as asked:
        response = go_to(with_next(f"{SIGN_IN}/code", following()))
        PENDING.set(response, services.settings, asked.pending, pending.SECONDS)
        return response
    except Problem as refused:
        return refused_form(form, refused)
    return _signed_in(signed_in)


def _signed_in(signed_in: limited.SignedIn) -> Response:
    services, response = current_services(), go_to(page_url(following()))
    replace_session(response, services, signed_in.opened)
    store_device(response, services, signed_in.device_token)
    return response


@session_pages.get("/sign-in/code")
def ask_for_code() -> Response:
    """Ask for the code of a sign-in whose password was right."""
    if not PENDING.read(current_services().settings):
        return go_to(with_next(SIGN_IN, following()))
    return page("sessions/code.html", form=Form({}), following=following())


@session_pages.post("/sign-in/code")
def send_code() -> Response:
    """Open a session and store it in cookies."""
    services = current_services()
    waiting = PENDING.read(services.settings)
    if not waiting:
        return go_to(with_next(SIGN_IN, following()))
    form = read_form(CodeForm, typed(["otp"]))
    if form.model:
        try:
            device = DEVICE.read(services.settings)
            response = _signed_in(limited.sign_in_with_code(services, waiting, device, form.model.otp))
        except InvalidCredentials:  # it took too long, or the password was changed
            response = go_to(f"{with_next(SIGN_IN, following())}&done=expired")
        except (OtpWrong, TooManyRequests) as refused:
            form.refuse(REFUSALS[refused.code], "otp" if isinstance(refused, OtpWrong) else "")
            form.answer_as(refused)
            return form_page("sessions/code.html", form, following=following())
        PENDING.delete(response, services.settings)
        return response
    return form_page("sessions/code.html", form, following=following())


def refused_form(form: Form[LoginBody], refused: Problem) -> Response:
    if refused.code not in REFUSALS:
        raise refused
    form.refuse(REFUSALS[refused.code])
    form.answer_as(refused)
    return ask_again(form)


@session_pages.get("/renew")
@session_pages.post("/renew")
def renew() -> Response:
    """Renew the token and lead back, with the method and body that came; or ask to sign in."""
    services, asking = current_services(), go_to(with_next(SIGN_IN, following()))
    if request.method == "HEAD":
        return asking
    response = go_to(page_url(following()), 307)
    try:
        token = renew_session(response, services)
    except InvalidToken:
        forget_session(asking, services)
        return asking
    note_renewal(response, services)
    pass_on(response, services.settings, token)
    return response


@device_pages.get("/devices")
@checks_session
def list_devices() -> Response:
    """List the caller's devices, which are the live sessions."""
    sessions = queries.list_sessions(current_services().database, caller=caller())
    return page("sessions/devices.html", sessions=sessions, done=request.args.get("done"))


@device_pages.post("/devices")
@checks_session
def end_devices() -> Response:
    """Sign one other device out, or all others."""
    db, chosen = current_services().database, request.form.get("session_id")
    if chosen:
        session_id = SessionPath(session_id=chosen).session_id
        actions.end_session(db, caller=caller(), session_id=session_id)
    else:
        actions.end_others(db, caller=caller())
    return go_to(f"{HOME}/devices?done=ended")


@device_pages.get("/sign-out")
def ask_to_sign_out() -> Response:
    """Ask whether to sign out."""
    return page("sessions/sign-out.html")


@device_pages.post("/sign-out")
@checks_session
def sign_out() -> Response:
    """End this session and forget its cookies."""
    actions.sign_out(current_services().database, caller=caller())
    response = go_to(f"{SIGN_IN}?done=signed-out")
    forget_session(response, current_services())
    return response
