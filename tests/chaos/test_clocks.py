"""order-service's clock a minute ahead of user-service's, or behind it. See LEEWAY_SECONDS."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from chaos.wire import Line
from chaos.world import World, sign_in
from chassis.auth.tokens import LEEWAY_SECONDS

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
SKEW_SECONDS = 60


def seconds_ahead(world: World) -> float:
    """Return by how much order-service's clock is ahead of ours, as its `Date` header says."""
    line = Line(world.ports)
    answer = line.ask("GET", "/healthz")
    line.hang_up()
    return parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime: Debian's package `faketime`")
@pytest.mark.budget(60)
@pytest.mark.parametrize("direction", ["ahead", "behind"])
def test_tokens_verify_with_the_clock_of_order_service_a_minute(direction: str, world: World) -> None:
    assert SKEW_SECONDS < LEEWAY_SECONDS
    skew = SKEW_SECONDS if direction == "ahead" else -SKEW_SECONDS
    honest = world.shop.order.environment
    books = world.books()
    try:
        fake = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{skew:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        world.restart(world.shop.order, **fake)
        assert abs(seconds_ahead(world) - skew) < 5

        world.customers.insert(0, sign_in(world.shop, f"clock-{direction}"))
        with world.buyers(4) as buyers:
            world.tend(2)
    finally:
        world.shop.order.environment = honest
        world.restart(world.shop.order)

    assert {heard.status for heard in buyers.heard} <= {200, 201}
    world.close(f"clock a minute {direction}", books, buyers)
