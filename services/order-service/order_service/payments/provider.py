"""What the shop asks of a payment provider. Card numbers never reach the shop: people pay on the provider's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID


class ProviderUnavailable(Exception):
    """The provider did not answer, or answered that it cannot now: a later attempt may succeed."""


class ProviderRefused(ProviderUnavailable):
    """The provider refuses this request and would refuse it again: a person must look, repeating it is of no use."""


class ForgedEvent(Exception):
    """The event has no valid signature, or is too old."""


class Payment(NamedTuple):
    """What a page asks for. The id is the idempotency key: to open it twice returns the same page."""

    id: UUID
    order_number: str
    amount_minor: int
    currency: str
    email: str | None
    expires_at: datetime
    return_url: str


class Page(NamedTuple):
    """A hosted payment page: the provider's id of it, and where the customer goes."""

    provider_id: str
    url: str


class State(NamedTuple):
    """What the provider says of a page; the rest is known when it is paid.

    `reference` is what can be refunded, such as a payment intent.
    """

    status: Literal["open", "paid", "failed", "expired"]
    reference: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Event(NamedTuple):
    """A verified event. `state` is None for a type that changes nothing here; `provider_id` names the page."""

    id: str
    type: str
    provider_id: str | None
    state: State | None


class Refund(NamedTuple):
    """What to return of a payment. The id is the idempotency key: to ask twice refunds once."""

    id: UUID
    reference: str
    amount_minor: int
    currency: str


class RefundState(NamedTuple):
    status: Literal["pending", "done", "failed"]
    provider_id: str | None = None
    failure: str | None = None


class Provider(Protocol):
    """A payment provider; every call may raise ProviderUnavailable, after a few seconds at most."""

    name: str

    def open(self, payment: Payment) -> Page:
        """Open a page; the same payment opens the same page again."""

    def expire(self, provider_id: str) -> State:
        """Let nobody pay on the page any more; return its last state, which is "paid" when somebody was faster."""

    def state(self, provider_id: str) -> State:
        """Ask for the state of a page."""

    def refund(self, refund: Refund) -> RefundState:
        """Return money; the same refund again returns its state."""

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Verify an event's signature over the raw bytes and its age, then parse it; raise ForgedEvent."""
