"""The shop's terms of orders, from the settings."""

from __future__ import annotations

from typing import NamedTuple

from order_service.settings import Settings


class Terms(NamedTuple):
    """`payment_minutes` is None where orders need no payment."""

    prices_include_tax: bool
    payment_minutes: int | None
    most_unpaid_orders: int
    most_unpaid_units: int


def terms(settings: Settings) -> Terms:
    return Terms(
        prices_include_tax=settings.prices_include_tax,
        payment_minutes=None if settings.payment_provider == "none" else settings.payment_window_minutes,
        most_unpaid_orders=settings.most_unpaid_orders,
        most_unpaid_units=settings.most_unpaid_units,
    )
