"""Quote a basket."""

from __future__ import annotations

from collections.abc import Mapping

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
