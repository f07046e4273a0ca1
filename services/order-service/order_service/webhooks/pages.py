"""Pages with which staff set up webhooks and watch their deliveries."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page, read_form
from chassis.pages.responses import go_to, page
from chassis.pages.urls import with_parameters
from chassis.pages.visitors import caller
from chassis.problems import NotFound
from order_service.events.rules import TYPES
from order_service.services import current_services
from order_service.webhooks import actions, queries, rules
from order_service.webhooks.schemas import DeliveryQuery, WebhookIn

webhook_pages = staff_pages("webhook pages", __name__, "/backoffice")

WEBHOOKS = "/backoffice/webhooks"
PAGE_SIZE = 50
STATUSES = {"": "All", "waiting": "Waiting", "delivered": "Delivered", "failed": "Failed"}


@webhook_pages.get("/webhooks")
def list_webhooks() -> Response:
    """List the webhooks, oldest first, above a form for a new one."""
    form: Form[WebhookIn] = Form({"types": TYPES})
    form.status = 200
    return webhooks_page(form)


def read_webhooks() -> list[dict[str, Any]]:
    return [*map(orjson.loads, queries.list_webhooks(current_services().database))]


def webhooks_page(form: Form[WebhookIn]) -> Response:
    return form_page(
        "webhooks/webhooks.html", form, webhooks=read_webhooks(), types=TYPES, done=request.args.get("done")
    )


@webhook_pages.post("/webhooks")
def create() -> Response:
    """Create a webhook, and show its secret, which is not shown again."""
    form = webhook_form()
    if form.model is None:
        return webhooks_page(form)
    try:
        made = actions.create(
            current_services().database, staff=caller(), url=form.model.url, types=form.model.types, local=is_local()
        )
    except rules.BadUrl as refused:
        return webhooks_page(_refused_url(form, refused))
    return page("webhooks/secret.html", webhook_id=made["id"], secret=made["secret"], until=None)


def webhook_form() -> Form[WebhookIn]:
    values: dict[str, Any] = {"url": request.form.get("url", "").strip(), "types": request.form.getlist("types")}
    form = read_form(WebhookIn, values, {name: value for name, value in values.items() if value})
    if not values["types"]:
        form.errors.pop("types", None)
        form.refuse("Choose at least one type of event.", "types")
        form.model = None
    return form


def is_local() -> bool:
    return not current_services().settings.https


def _refused_url(form: Form[WebhookIn], refused: rules.BadUrl) -> Form[WebhookIn]:
    form.answer_as(refused)
    form.refuse(refused.error.removeprefix("url: "), "url")
    return form


@webhook_pages.get("/webhooks/<webhook_id>")
def show(webhook_id: str) -> Response:
    """Show a webhook in a form, with its deliveries."""
    webhook = read_webhook(webhook_id)
    form: Form[WebhookIn] = Form(webhook)
    form.status = 200
    return webhook_page(webhook, form)


def read_webhook(webhook_id: str) -> dict[str, Any]:
    """Return a webhook's document; raise NotFound."""
    for webhook in read_webhooks():
        if webhook["id"] == webhook_id:
            return webhook
    raise NotFound


def webhook_page(webhook: dict[str, Any], form: Form[WebhookIn]) -> Response:
    given = {name: text for name in ("status", "after") if (text := request.args.get(name, "").strip())}
    query = DeliveryQuery.model_validate({**given, "limit": str(PAGE_SIZE)})
    webhook_id = rules.uuid_of(webhook["id"], "w-")
    documents, next_cursor = queries.list_deliveries(
        current_services().database, webhook_id=webhook_id, **query.model_dump()
    )
    return form_page(
        "webhooks/webhook.html",
        form,
        webhook=webhook,
        types=TYPES,
        deliveries=[*map(orjson.loads, documents)],
        statuses=STATUSES,
        query=query,
        first_url=_url(webhook["id"], status=query.status),
        next_url=next_cursor and _url(webhook["id"], status=query.status, after=next_cursor),
        done=request.args.get("done"),
    )


def _url(webhook_id: str, **parameters: str | None) -> str:
    return with_parameters(f"{WEBHOOKS}/{webhook_id}", parameters)


@webhook_pages.post("/webhooks/<webhook_id>")
def change(webhook_id: str) -> Response:
    """Change a webhook's URL and types, or switch it on or off."""
    webhook, do = read_webhook(webhook_id), request.form.get("do")
    if do in {"on", "off"}:
        _change(webhook, url=None, types=None, active=do == "on")
        return go_to(_url(webhook_id, done=do))
    form = webhook_form()
    if form.model is None:
        return webhook_page(webhook, form)
    try:
        _change(webhook, url=form.model.url, types=form.model.types, active=None)
    except rules.BadUrl as refused:
        return webhook_page(webhook, _refused_url(form, refused))
    return go_to(_url(webhook_id, done="saved"))


def _change(webhook: dict[str, Any], **changes: Any) -> None:
    webhook_id = rules.uuid_of(webhook["id"], "w-")
    actions.change(current_services().database, staff=caller(), webhook_id=webhook_id, local=is_local(), **changes)


@webhook_pages.post("/webhooks/<webhook_id>/secret")
def rotate_secret(webhook_id: str) -> Response:
    """Replace the secret, and show the new one, which is not shown again."""
    made = actions.rotate_secret(
        current_services().database, staff=caller(), webhook_id=rules.uuid_of(webhook_id, "w-")
    )
    return page("webhooks/secret.html", webhook_id=webhook_id, secret=made["secret"], until=made["old_secret_until"])


@webhook_pages.post("/webhooks/<webhook_id>/delete")
def delete(webhook_id: str) -> Response:
    """Delete a webhook with its deliveries."""
    actions.delete(current_services().database, staff=caller(), webhook_id=rules.uuid_of(webhook_id, "w-"))
    return go_to(f"{WEBHOOKS}?done=deleted")


@webhook_pages.post("/webhooks/<webhook_id>/replay")
def replay(webhook_id: str) -> Response:
    """Deliver an event again."""
    event_id = rules.uuid_of(request.form.get("event_id", ""), "e-")
    actions.replay(
        current_services().database, staff=caller(), webhook_id=rules.uuid_of(webhook_id, "w-"), event_id=event_id
    )
    return go_to(_url(webhook_id, done="replayed"))
