"""Real job workers: killed, stopped, and without their database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest

from localshop.service import Service
from localshop.shop import Shop
from localshop.signals import pause
from localshop.testing import free_ports, fresh_folder

pytestmark = pytest.mark.e2e
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Run a shop with its workers and its mailbox."""
    user, order, mailbox = free_ports(3)
    with fresh_folder() as data, Shop(data, user_port=user, order_port=order, mailbox_port=mailbox) as shop:
        yield shop


@contextmanager
def database(service: Service) -> Iterator[psycopg.Connection]:
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        yield connection


def defer(service: Service, task: str) -> None:
    with database(service) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES (%(task)s, %(task)s)", {"task": task}
        )


def waiting(service: Service) -> int:
    with database(service) as connection:
        (count,) = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() or (0,)
    return int(count)


def newest_worker(service: Service) -> int:
    """Return the id of the worker that registered last, 0 where none is registered."""
    with database(service) as connection:
        (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM procrastinate_workers").fetchone() or (0,)
    return int(newest)


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wait_until(reached: Callable[[], Any]) -> None:
    for _ in range(PATIENCE_SECONDS * 10):
        if reached():
            return
        pause(0.1)
    raise AssertionError("not reached")


def test_workers_run_jobs_and_show_them_on_their_own_port(shop: Shop) -> None:
    for service, worker in zip(shop.services, shop.workers, strict=True):
        defer(service, "forget_failed_jobs")
        wait_until(lambda service=service: waiting(service) == 0)
        assert get(worker.port, "/healthz") == (200, '{"status": "ok"}')
        assert json.loads(get(worker.port, "/readyz")[1])["checks"] == {"database": "ok", "queue": "ok"}
        metrics = get(worker.port, "/metrics")[1]
        assert 'job_runs_total{outcome="succeeded",task="forget_failed_jobs"}' in metrics
        assert 'jobs_waiting{task="forget_failed_jobs"} 0.0' in metrics
        assert get(worker.port, "/other")[0] == 404


def test_a_job_outlives_kill_9_of_its_worker(shop: Shop) -> None:
    worker = shop.workers[1]
    worker.freeze()
    defer(shop.order, "forget_failed_jobs")
    with database(shop.order) as connection:  # fetched by the worker that will not finish it
        connection.execute(
            "SELECT procrastinate_fetch_job_v2(ARRAY['forget_failed_jobs'], max(id)) FROM procrastinate_workers"
        )
    worker.kill()
    worker.start()
    wait_until(lambda: waiting(shop.order) == 0)


def test_worker_goes_on_after_a_restart_of_the_database(shop: Shop) -> None:
    assert shop.postgres
    shop.postgres.kill()
    worker = shop.workers[1]
    wait_until(lambda: get(worker.port, "/readyz")[0] == 503)
    assert get(worker.port, "/healthz")[0] == 200
    assert get(worker.port, "/metrics")[0] == 200
    shop.postgres.start()
    defer(shop.order, "forget_failed_jobs")
    wait_until(lambda: waiting(shop.order) == 0 and get(worker.port, "/readyz")[0] == 200)


def test_worker_stops_on_sigterm_and_leaves_no_trace(shop: Shop) -> None:
    for service, worker in zip(shop.services, shop.workers, strict=True):
        defer(service, "forget_failed_jobs")
        wait_until(lambda service=service: waiting(service) == 0)
        running = newest_worker(service)  # rows of killed workers stay until their heartbeat is too old
        worker.ask_to_stop()
        assert worker.wait(20) == 0
        assert newest_worker(service) < running
        worker.start()


def test_worker_of_user_service_says_that_it_cannot_send_mail(shop: Shop) -> None:
    worker = shop.user.job_worker(*free_ports(1))
    worker.environment = {name: value for name, value in worker.environment.items() if name != "MAIL_DIR"}
    worker.launch()
    assert worker.wait(PATIENCE_SECONDS) == 1
    assert "MAIL_URL is needed to send mail" in worker.log.read_text()


MAIL = b"""From: Shop <shop@shop.example>
To: ada@example.com
Subject: Your <order>
Message-ID: <order-1@shop.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

Read https://shop.example/orders/1.
<script>

--b
Content-Type: text/html

<p>Hello</p><script>alert(1)</script>
--b--
"""


def test_mailbox_shows_text_and_html_of_a_mail(shop: Shop) -> None:
    assert shop.mailbox
    port = shop.mailbox.port
    assert "No mail yet" in get(port, "/")[1]
    folder = shop.data / "mail"
    folder.mkdir(exist_ok=True)
    (folder / "order-1.eml").write_bytes(MAIL)
    assert '<a href="/order-1">Your &lt;order&gt;</a>' in get(port, "/")[1]
    page = get(port, "/order-1")[1]
    assert '<a href="https://shop.example/orders/1" target="_blank"' in page
    assert "<script" not in page
    assert '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" src="/order-1/html"' in page
    assert "<p>Hello</p>" in get(port, "/order-1/html")[1]
    assert get(port, "/latest.txt?to=ada@example.com")[1].startswith("Read https://shop.example/orders/1.")
    assert get(port, "/latest.txt?to=eve@example.com")[0] == 404
    assert [get(port, path)[0] for path in ("/../logs", "/order-2", "/order-1/eml")] == [404] * 3
    assert get(port, "/", host="evil.example")[0] == 421
