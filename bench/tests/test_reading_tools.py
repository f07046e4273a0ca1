from __future__ import annotations

import pytest

from bench import statements, wrk
from bench.customers import Customers, loads
from bench.figures import Outcome
from bench.suite import FLOOR
from chassis.context import Caller
from localshop import Trouble

TOKEN = statements.TOKENS.sign(Caller("u-1", "ada", "s-1"))
CUSTOMERS = Customers([TOKEN] * 64, [TOKEN], {"o-" + "0" * 32: TOKEN}, [{"username": "ada"}])
WRK = """Running 2s test @ http://127.0.0.1:40001
  1 threads and 16 connections
  4000 requests in 2.00s, 1.00MB read
{"requests": 4000, "microseconds": 2000000, "refused": REFUSED, "failed": FAILED, "p50": 1500, "p99": 9000}
"""


def wrk_said(*, failed: int = 0, refused: int = 0) -> str:
    return WRK.replace("FAILED", str(failed)).replace("REFUSED", str(refused))


def test_wrk_output_becomes_a_rate_and_two_latencies_in_ms() -> None:
    assert wrk.parse(wrk_said()) == Outcome(rate=2000, requests=4000, p50=1.5, p99=9)


def test_failed_request_makes_the_measurement_invalid() -> None:
    with pytest.raises(Trouble, match="1 requests failed"):
        wrk.parse(wrk_said(failed=1))


def test_a_refused_request_counts_only_as_failed_or_not_at_all() -> None:
    with pytest.raises(Trouble, match="1000 of 4000 answers"):
        wrk.parse(wrk_said(refused=1000))
    assert wrk.parse(wrk_said(refused=1000), may_be_refused=True).rate == 1500


def test_measurement_without_responses_is_invalid() -> None:
    with pytest.raises(Trouble, match="0 of 0 answers"):
        wrk.parse('{"requests": 0, "microseconds": 1000, "refused": 0, "failed": 0, "p50": 0, "p99": 0}')


@pytest.mark.parametrize("output", ["", "unable to connect", "{}", "[]", '{"requests": 1}'])
def test_unexpected_output_of_wrk_is_invalid(output: str) -> None:
    with pytest.raises(Trouble, match="something else"):
        wrk.parse(output)


def test_a_missing_wrk_is_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Trouble, match=r"^wrk is missing: apt-get install wrk$"):
        wrk.require_wrk()


def test_every_work_beside_the_floor_has_its_statement() -> None:
    works = loads(CUSTOMERS)
    found = {work: statements.of(work, works[work].requests[0]) for work in FLOOR}
    assert [work for work, statement in found.items() if statement is None] == ["GET /products?limit=20"]
    product, change = found["GET /products/<id>"], found["PATCH /profile"]
    assert product is not None
    assert product.parameters == {"id": "p1"}
    assert change is not None
    assert change.parameters["name"] == "Ada 0"
    assert {statement.key for statement in found.values() if statement} == {"", "key"}
