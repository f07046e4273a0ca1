"""Crash before and after each write of staff to shipping methods and tax rates: it happens once or not at all."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx
import pytest

from chaos import failpoints
from chaos.environment import Environment
from chaos.failpoints import Deed
from chaos.report import Outcome
from chaos.test_catalogue import insist, staff
from localshop import ROOT

METHOD, RATE = "/admin/shipping-methods", "/admin/tax-rates"
DEMO = ROOT / "services/order-service/demo"
METHODS_FILE, RATES_FILE = (DEMO / "shipping.csv").read_text(), (DEMO / "tax.csv").read_text()
PARCEL = {"name": "Parcel", "countries": ["NO"], "currency": "NOK", "price": 5}


class Change(NamedTuple):
    """A request, the status of its repetition after a crash before and after the commit, and its audit entry."""

    method: str
    path: str
    body: dict[str, Any] | str | None
    before: int
    after: int
    entry: str


IMPORT_METHODS = Change("POST", f"{METHOD}/import", METHODS_FILE, 200, 200, "shipping_methods.import")
IMPORT_RATES = Change("POST", f"{RATE}/import", RATES_FILE, 200, 200, "tax_rates.import")
CHANGES = {
    "put_shipping_method": Change("PUT", f"{METHOD}/parcel", PARCEL, 200, 200, "shipping.put"),
    "delete_shipping_method": Change("DELETE", f"{METHOD}/parcel", None, 204, 404, "shipping.delete"),
    "put_tax_rate": Change("PUT", f"{RATE}/NO/standard", {"rate": 25}, 200, 200, "tax.put"),
    "delete_tax_rate": Change("DELETE", f"{RATE}/NO/standard", None, 204, 404, "tax.delete"),
    "clear_shipping_methods": IMPORT_METHODS,
    "add_shipping_method": IMPORT_METHODS,
    "replace_terms": IMPORT_METHODS,
    "clear_tax_rates": IMPORT_RATES,
    "add_tax_rate": IMPORT_RATES,
}


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.TERMS))
def test_terms_are_changed_once_with_their_audit_entry_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a shipping method and a tax rate
    name, _, moment = point.partition(".")
    change = CHANGES[name]
    http = httpx.Client(base_url=environment.shop.order.url, timeout=15)
    http.headers.update(staff(environment, point))
    if change.method == "DELETE":
        http.put(f"{METHOD}/parcel", json=PARCEL).raise_for_status()
        http.put(f"{RATE}/NO/standard", json={"rate": 25}).raise_for_status()
    before = entries(http, change)

    # when the server crashes while it serves the request
    armed = environment.arm(point)
    request = filled(change)
    with pytest.raises(httpx.TransportError):
        http.request(**request)
    assert not armed.exists()
    crashed_at = time.monotonic()
    committed = moment == "committed" or (name in failpoints.ALONE and moment == "after")
    again = insist(environment, http, request)

    # then its repetition finds it done or not done, and each time that it was done has its audit entry
    assert again.status_code == (change.after if committed else change.before)
    assert entries(http, change) == before + committed + (again.status_code != 404)
    http.close()
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


def entries(http: httpx.Client, change: Change) -> int:
    return len(http.get("/admin/audit", params={"action": change.entry, "limit": 100}).raise_for_status().json())


def filled(change: Change) -> dict[str, Any]:
    request: dict[str, Any] = {"method": change.method, "url": change.path}
    if isinstance(change.body, str):
        return request | {"content": change.body, "headers": {"Content-Type": "text/csv"}}
    return request | ({"json": change.body} if change.body else {})
