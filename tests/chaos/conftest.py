from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from chaos.auth_wiring import jwt_wiring
from chaos.environment import Environment
from chaos.report import Outcome, table
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

SUITE_SECONDS = 2400
CLEANING_SECONDS = 20
OUTCOMES = pytest.StashKey[list[Outcome]]()
DEADLINE = pytest.StashKey[float]()


class OutOfTime(BaseException):
    """A fault or the suite exceeded its time limit."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = []
    config.stash[DEADLINE] = time.monotonic() + SUITE_SECONDS - CLEANING_SECONDS


@pytest.fixture(autouse=True)
def budget(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop a fault that exceeds its marker's limit or the suite's remaining time."""
    marker = request.node.get_closest_marker("budget")
    seconds = min(marker.args[0] if marker else 60, request.config.stash[DEADLINE] - time.monotonic())
    if seconds <= 0:
        pytest.fail(f"the suite has used up its {SUITE_SECONDS} seconds")

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"after {seconds:.0f} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture(scope="session")
def outcomes(pytestconfig: pytest.Config) -> list[Outcome]:
    """Return the lines of the report."""
    return pytestconfig.stash[OUTCOMES]


@pytest.fixture(scope="session")
def shared_environment(outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Run one shop with two workers per service for all faults that do not change it."""
    user_port, order_port = free_ports()
    environment = jwt_wiring(tmp_path_factory.mktemp("trust"))
    with (
        fresh_folder() as data,
        Shop(data, user_port=user_port, order_port=order_port, environment=environment) as shop,
    ):
        yield Environment(shop, outcomes)


@pytest.fixture
def environment(shared_environment: Environment) -> Environment:
    shared_environment.settle()
    shared_environment.moments.clear()
    return shared_environment


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("faults")
    for line in table(config.stash[OUTCOMES]):
        terminalreporter.write_line(line)
