"""kill -9 of a worker, of a service and of PostgreSQL, several times, under 32 buyers."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from chaos.environment import Environment


def kill_a_worker(environment: Environment) -> None:
    workers = [worker for server in environment.servers for worker in server.workers()]
    if workers:
        environment.random.choice(workers).kill()


def kill_a_service(environment: Environment) -> None:
    environment.random.choice(environment.servers).kill()


def kill_postgresql(environment: Environment) -> None:
    assert environment.shop.postgres is not None
    environment.shop.postgres.kill()


FAULTS: dict[str, tuple[Callable[[Environment], None], int, float]] = {
    "kill -9 of a worker": (kill_a_worker, 8, 1),
    "kill -9 of a service": (kill_a_service, 4, 1),
    "kill -9 of PostgreSQL": (kill_postgresql, 4, 2),
}


@pytest.mark.budget(120)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_acknowledged_order_is_lost_or_duplicated_by(fault: str, environment: Environment) -> None:
    kill, times, seconds_between = FAULTS[fault]
    invariants = environment.invariants()
    with environment.load(32) as load:
        environment.tend(2)
        for _ in range(times):
            with_suppressed_race(kill, environment)
            environment.mark()
            environment.tend(seconds_between)
            environment.settle()
    environment.close(f"{fault}, {times} times", invariants, load)


def with_suppressed_race(kill: Callable[[Environment], None], environment: Environment) -> None:
    """Kill a process that may have ended already."""
    try:
        kill(environment)
    except psutil.NoSuchProcess:
        environment.revive()
