"""kill -9 of a worker, of a whole service and of PostgreSQL, again and again, under 32 buyers."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from chaos.world import World


def kill_a_worker(world: World) -> None:
    workers = [worker for server in world.servers for worker in server.workers()]
    if workers:
        world.random.choice(workers).kill()


def kill_a_service(world: World) -> None:
    world.random.choice(world.servers).kill()


def kill_postgresql(world: World) -> None:
    assert world.shop.postgres is not None
    world.shop.postgres.kill()


FAULTS: dict[str, tuple[Callable[[World], None], int, float]] = {
    "kill -9 of a worker": (kill_a_worker, 8, 1),
    "kill -9 of a service": (kill_a_service, 4, 1),
    "kill -9 of PostgreSQL": (kill_postgresql, 4, 2),
}


@pytest.mark.budget(60)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_acknowledged_is_lost_or_doubled_by(fault: str, world: World) -> None:
    kill, times, seconds_between = FAULTS[fault]
    books = world.books()
    with world.buyers(32) as buyers:
        world.tend(2)
        for _ in range(times):
            with_suppressed_race(kill, world)
            world.mark()
            world.tend(seconds_between)
            world.settle()
    world.close(f"{fault}, {times} times", books, buyers)


def with_suppressed_race(kill: Callable[[World], None], world: World) -> None:
    """Kill; a process that ended by itself a moment before is as dead as the others."""
    try:
        kill(world)
    except psutil.NoSuchProcess:
        world.revive()
