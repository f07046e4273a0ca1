"""order-service's clock is a minute ahead or behind; see ISSUED_LEEWAY_SECONDS."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from chaos.environment import Environment, sign_in
from chaos.wire import Line
from chassis.auth.tokens import ISSUED_LEEWAY_SECONDS

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
SKEW_SECONDS = 60


def seconds_ahead(environment: Environment) -> float:
    """Return the difference of order-service's `Date` header to this clock."""
    line = Line(environment.ports)
    answer = line.ask("GET", "/healthz")
    line.close()
    return parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime: Debian's package `faketime`")
@pytest.mark.budget(120)
@pytest.mark.parametrize("direction", ["ahead", "behind"])
def test_tokens_verify_with_the_clock_of_order_service_a_minute(direction: str, environment: Environment) -> None:
    assert SKEW_SECONDS < ISSUED_LEEWAY_SECONDS
    skew = SKEW_SECONDS if direction == "ahead" else -SKEW_SECONDS
    honest = environment.shop.order.environment
    invariants = environment.invariants()
    try:
        fake = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{skew:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        environment.restart(environment.shop.order, **fake)
        assert abs(seconds_ahead(environment) - skew) < 5

        environment.customers.insert(0, sign_in(environment.shop, f"clock-{direction}"))
        with environment.load(4) as load:
            environment.tend(2)
    finally:
        environment.shop.order.environment = honest
        environment.restart(environment.shop.order)

    assert {heard.status for heard in load.heard} <= {200, 201}
    environment.close(f"clock a minute {direction}", invariants, load)
