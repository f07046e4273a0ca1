"""What an operator sees of orders at `/metrics`. Codes are those of Problems, currencies those of ISO 4217."""

from __future__ import annotations

import logging

import orjson
from prometheus_client import Counter

log = logging.getLogger(__name__)

PLACED = Counter("orders_placed", "Orders placed.")
CANCELLED = Counter("orders_cancelled", "Orders that their buyers cancelled.")
REFUSED = Counter("orders_refused", "Orders refused, by the problem's code.", ["code"])
VALUE = Counter("orders_placed_value", "Totals of placed orders, in the currency's units.", ["currency"])


def count_placed(receipt: str) -> None:
    """Count a new order. It is placed already, so a failure is logged and changes nothing."""
    try:
        order = orjson.loads(receipt)
        PLACED.inc()
        VALUE.labels(order["currency"]).inc(order["total"])
    except Exception:
        log.exception("order_not_counted")


def count_refused(code: str) -> None:
    REFUSED.labels(code).inc()
