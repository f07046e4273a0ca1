"""Quote a basket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from chassis.db.database import Database
from order_service.checkout import queries, rules


def quote(
    db: Database,
    *,
    basket: Mapping[str, int],
    country: str | None,
    shipping_method: str | None,
    prices_include_tax: bool,
) -> str:
    """Return the document of a quote; raise a Problem of `rules` for what cannot be priced."""
    row = queries.quote(
        db,
        basket=basket,
        country=country,
        shipping_method=shipping_method,
        prices_include_tax=prices_include_tax,
    )
    shelf = {key: rules.OnShelf(*found) for key, found in (row.shelf or {}).items()}
    rules.refuse_unknown(basket, shelf)
    rules.refuse_mixed(shelf)
    if shipping_method and not row.shipping_is_known:
        raise rules.ShippingUnavailable
    return str(row.document)


class Offer(NamedTuple):
    """A quote with a shipping method, the wanted one or the first, where there are some for the country.

    `served` are the countries that the shop delivers to, when this one is not among them. With `depends` the total
    is not known before the country.
    """

    country: str | None
    quote: dict[str, Any]
    served: list[str]
    depends: bool

    @property
    def method(self) -> str:
        return str(self.quote["shipping"]["method"]) if self.quote["shipping"] else ""


def offer(
    db: Database, *, basket: Mapping[str, int], country: str | None, wanted: str, prices_include_tax: bool
) -> Offer:
    """Return what the basket costs there; raise a Problem of `rules` for what cannot be priced."""
    asked: dict[str, Any] = {"basket": basket, "country": country, "prices_include_tax": prices_include_tax}
    found = orjson.loads(quote(db, **asked, shipping_method=None))
    methods = [method["id"] for method in found["shipping_methods"]]
    if methods:
        chosen = wanted if wanted in methods else methods[0]
        found = orjson.loads(quote(db, **asked, shipping_method=chosen))
    terms = queries.terms(db, currency=found["currency"])
    served = terms.served if country and not methods else None
    return Offer(country, found, served or [], depends=terms.depends)
