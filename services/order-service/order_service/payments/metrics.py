"""What an operator sees of payments at `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter

PAYMENTS = Counter("payments", "Payments whose state changed, by outcome; accepted ones paid their order.", ["outcome"])
REVENUE = Counter("revenue", "Money of accepted payments, in the currency's units, refunds included.", ["currency"])
EVENTS = Counter("payment_events", "Events of the payment provider, by outcome; forged ones too.", ["outcome"])
REFUNDS = Counter("refunds", "Refunds that ended, by status: done or failed.", ["status"])
ORDERS_EXPIRED = Counter("orders_expired", "Orders cancelled because they were not paid in time.")
PROVIDER_FAILURES = Counter("payment_provider_failures", "Calls that the payment provider did not answer.", ["call"])
