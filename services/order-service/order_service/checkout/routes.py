"""The public route that says what an order would cost."""

from __future__ import annotations

from chassis.http.api import public
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, raw_json
from order_service.checkout import actions, rules
from order_service.checkout.schemas import QuoteIn, QuoteOut
from order_service.services import Services

checkout = public("checkout", __name__)


@checkout.post(
    "/orders/quote",
    operation_id="quote_order",
    responses=responses(
        {200: QuoteOut},
        *(400, rules.UnknownProduct, rules.TooMany, rules.MixedCurrencies, rules.ShippingUnavailable),
        *(413, 415),
    ),
)
def quote(services: Services, body: QuoteIn) -> JsonResponse:
    """Say what an order would cost now: lines, shipping methods, tax and total; nothing is written."""
    document = actions.quote(
        services.database,
        basket=rules.merge((line.product_id, line.qty) for line in body.items),
        country=body.country,
        shipping_method=body.shipping_method,
        prices_include_tax=services.settings.prices_include_tax,
    )
    return raw_json(document)
