from __future__ import annotations

import pytest

from bench import limits, wrk
from bench.asked import Asked, name_of_key, order, own_orders, own_profile, placing, product
from bench.figures import Outcome
from bench.seed import SMALL
from chassis.context import Caller
from localshop import Trouble
from order_service.orders.statements import PLACE

ADA = Caller("u-1", "ada", "s-1")
WRK = """Running 2s test @ http://127.0.0.1:40001
  1 threads and 16 connections
  4000 requests in 2.00s, 1.00MB read
{"requests": 4000, "microseconds": 2000000, "failed": FAILED, "p50": 1500, "p99": 9000}
"""
PGBENCH = """transaction type: orders.sql
number of transactions actually processed: 7310
number of failed transactions: FAILED (0.000%)
latency average = 4.3 ms
initial connection time = 17.0 ms
tps = 3687.109190 (without initial connection time)
"""


def test_what_wrk_says_becomes_a_rate_and_two_latencies_in_milliseconds() -> None:
    assert wrk.parse(WRK.replace("FAILED", "0")) == Outcome(rate=2000, requests=4000, p50=1.5, p99=9)


def test_one_failed_request_spoils_the_measurement() -> None:
    with pytest.raises(Trouble, match="1 requests failed"):
        wrk.parse(WRK.replace("FAILED", "1"))


def test_nothing_answered_is_no_measurement() -> None:
    with pytest.raises(Trouble, match="0 were answered"):
        wrk.parse('{"requests": 0, "microseconds": 1000, "failed": 0, "p50": 0, "p99": 0}')


@pytest.mark.parametrize("output", ["", "unable to connect", "{}", "[]", '{"requests": 1}'])
def test_anything_else_from_wrk_is_no_measurement(output: str) -> None:
    with pytest.raises(Trouble, match="something else"):
        wrk.parse(output)


def test_a_missing_wrk_is_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Trouble, match=r"^wrk is missing: apt-get install wrk$"):
        wrk.require_wrk()


def test_what_pgbench_says_becomes_a_rate() -> None:
    assert limits.parse(PGBENCH.replace("FAILED", "0")) == Outcome(rate=3687.10919, requests=7310)


@pytest.mark.parametrize(
    ("output", "why"), [(PGBENCH.replace("FAILED", "3"), "3 transactions failed"), ("FATAL", "something else")]
)
def test_failed_transactions_spoil_the_measurement(output: str, why: str) -> None:
    with pytest.raises(Trouble, match=why):
        limits.parse(output)


def test_pgbench_runs_the_services_own_statement_with_products_and_a_key_of_its_own_choice() -> None:
    script = limits.script(placing(ADA, ["p1", "p2"]), SMALL)
    assert script.startswith("\n\\set first random(1, 1000)\n")
    assert script.endswith(f"{PLACE % limits.CHOSEN};\n")
    assert "%(" not in script


def test_the_floor_asks_what_the_services_ask() -> None:
    asked: list[Asked] = [product("p1"), own_profile(ADA), own_orders(ADA), order("o-" + "0" * 32, ADA)]
    assert [next(iter(question.statement.split())) for question in asked] == ["SELECT"] * 4
    assert asked[0].parameters == {"id": "p1"}
    assert asked[2].parameters["limit"] == 21


def test_the_parameter_that_is_the_idempotency_key_is_found_by_its_value() -> None:
    assert name_of_key(placing(ADA, ["p1", "p2"])) == "key"
