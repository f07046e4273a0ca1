"""The pages of webhooks and their deliveries."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.auth.roles import STAFF
from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, field_errors, messages

WEBHOOKS = "/backoffice/webhooks"
URL = "https://hooks.example.com/orders"
FORM = {"url": URL, "types": ["order.placed"]}
EVERYTHING = "SELECT w::text FROM webhooks w UNION ALL SELECT a::text FROM audit_entries a ORDER BY 1"


@pytest.fixture
def sam(app: Api) -> FlaskClient:
    """Return the browser of Sam, who is one of the staff."""
    return browser(app, bearer("u-sam", "sam", roles=(STAFF,))["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def webhook(sam: FlaskClient) -> str:
    """Create a webhook; return the URL of its page."""
    answer = sam.post(WEBHOOKS, data=FORM)
    assert answer.status_code == 200, field_errors(answer)
    found = re.search(rf'href="({WEBHOOKS}/w-[0-9a-f]+)"', answer.text)
    assert found
    return found[1]


@pytest.fixture
def audit(db: Database) -> Callable[[], list[str]]:
    return lambda: [row[0] for row in db.fetch_all("SELECT action FROM audit_entries ORDER BY id DESC")]


@pytest.fixture
def everything(db: Database) -> Callable[[], list[Any]]:
    """Return all that a refusal must not change."""
    return lambda: [row[0] for row in db.fetch_all(EVERYTHING)]


def errors(answer: TestResponse) -> dict[str, str]:
    found = re.findall(r'<p class="error" id="(\w+)-error">(.*?)</p>', answer.text)
    return {name: html.unescape(text) for name, text in found}


def test_customers_get_a_page_that_says_why_not(alices: FlaskClient) -> None:
    assert alices.get(WEBHOOKS).status_code == 403


def test_a_webhook_is_created_and_its_secret_shown_once(
    sam: FlaskClient, webhook: str, audit: Callable[..., Any], db: Database
) -> None:
    assert "whsec_" not in sam.get(webhook).text + sam.get(WEBHOOKS).text
    assert URL in sam.get(WEBHOOKS).text
    assert "Nothing delivered yet" in sam.get(webhook).text
    assert audit() == ["webhook.create"]
    assert "whsec_" in sam.post(f"{webhook}/secret").text
    assert audit() == ["webhook.rotate_secret", "webhook.create"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"url": "ftp://a.example"}, {"url": "Url must begin with https://."}),
        ({"url": "https://10.0.0.1/x"}, {"url": "10.0.0.1 is no public address of the internet"}),
        ({"url": ""}, {"url": "Url is missing."}),
        ({"types": []}, {"types": "Choose at least one type of event."}),
        ({"types": ["order.eaten"]}, {"types": "'order.eaten' is no type of event: take some of"}),
    ],
)
def test_a_refused_webhook_is_told_beside_its_field(
    *, sam: FlaskClient, webhook: str, everything: Callable[..., Any], form: dict[str, Any], expected: dict[str, str]
) -> None:
    before = everything()
    for path in (WEBHOOKS, webhook):
        answer = sam.post(path, data=FORM | form)
        assert answer.status_code == 400
        found = errors(answer)
        assert found.keys() == expected.keys()
        assert all(found[name].startswith(text) for name, text in expected.items()), found
    assert everything() == before


def test_a_webhook_is_changed_and_switched(sam: FlaskClient, webhook: str, audit: Callable[..., Any]) -> None:
    saved = sam.post(webhook, data={"url": f"{URL}?<b>", "types": ["order.placed", "order.cancelled"]})
    assert saved.status_code == 400  # < is no character of a URL
    saved = sam.post(webhook, data={"url": f"{URL}?a=b", "types": ["order.placed", "order.cancelled"]})
    page = sam.get(saved.headers["Location"])
    assert (messages(page), "/orders?a=b" in page.text) == (["Saved."], True)
    off = sam.get(sam.post(webhook, data={"do": "off"}).headers["Location"])
    assert messages(off) == ["Off: nothing is delivered, also not later."]
    on = sam.get(sam.post(webhook, data={"do": "on"}).headers["Location"])
    assert messages(on) == ["On: what happens from now on is delivered."]
    assert audit() == ["webhook.change"] * 3 + ["webhook.create"]


def test_a_webhook_is_deleted(sam: FlaskClient, webhook: str) -> None:
    answer = sam.post(f"{webhook}/delete")
    assert messages(sam.get(answer.headers["Location"])) == ["Deleted. Nothing is delivered there any more."]
    assert sam.get(webhook).status_code == 404


@pytest.mark.parametrize("path", ["", "/secret", "/delete", "/replay"])
@pytest.mark.parametrize("webhook_id", ["w-" + "0" * 32, "nonsense"])
def test_a_webhook_that_is_none_is_not_found(sam: FlaskClient, webhook_id: str, path: str) -> None:
    answer = sam.post(f"{WEBHOOKS}/{webhook_id}{path}", data=FORM | {"event_id": "e-" + "0" * 32})
    assert answer.status_code == 404


def test_deliveries_are_shown_and_sent_again(sam: FlaskClient, webhook: str, db: Database, operator: Database) -> None:
    webhook_id = webhook.rpartition("-")[2]
    statement = """
        INSERT INTO webhook_deliveries (webhook_id, event_id, type, payload, status, attempts, failure, finished_at)
        VALUES (CAST(%(id)s AS uuid), uuidv7(), 'order.placed', '{}', 'failed', 3, %(failure)s, now())
    """
    with operator.transaction() as connection:
        connection.execute(statement, {"id": webhook_id, "failure": "<b>answered 500</b>"})
    page = sam.get(webhook)
    assert "&lt;b&gt;answered 500&lt;/b&gt;" in page.text
    assert "3 attempts" in page.text
    event = re.search(r'name="event_id" value="(.*?)"', page.text)
    assert event
    answer = sam.post(f"{webhook}/replay", data={"event_id": event[1]})
    assert messages(sam.get(answer.headers["Location"])) == ["The event is delivered again."]
    assert "Send again" not in sam.get(webhook).text
    assert "None is in this state." in sam.get(f"{webhook}?status=failed").text
    assert sam.get(f"{webhook}?status=odd").status_code == 400
