"""The shop of `docker compose up --build`: start order, isolation, secrets, durability."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import httpx
import pytest
from containers.engine import Stack, answers, docker, eventually, sign_in

JOBS = ("secrets-1", "user-migration-1", "order-migration-1", "catalogue-1")
READERS = ("postgres", "user-service", "order-service")
SERVICES = ("user-service-1", "order-service-1")
ITEMS = [{"product_id": "p1", "qty": 2}, {"product_id": "p3", "qty": 1}]


def test_jobs_end_well_before_what_needs_them_starts(stack: Stack) -> None:
    state = {name: container["State"] for name, container in stack.containers().items()}

    assert {name: state[name]["ExitCode"] for name in JOBS} == dict.fromkeys(JOBS, 0)
    assert {state[name]["Health"]["Status"] for name in (*SERVICES, "postgres-1", "proxy-1")} == {"healthy"}
    for before, after in (
        ("secrets-1", "postgres-1"),
        ("user-migration-1", "user-service-1"),
        ("order-migration-1", "catalogue-1"),
        ("catalogue-1", "order-service-1"),
    ):
        assert state[before]["FinishedAt"] < state[after]["StartedAt"]


def test_customer_orders_and_another_customer_gets_404(stack: Stack) -> None:
    me = {"username": "alice", "name": "Alice", "email": "alice@example.org"}
    registered = httpx.post(f"{stack.user}/register", json=me | {"password": "violet-harbour-42"})
    assert (registered.status_code, registered.json()["username"]) == (201, "alice")

    alice = sign_in(stack.user, "alice")
    assert httpx.get(f"{stack.user}/profile", headers=alice).json()["email"] == "alice@example.org"
    assert [product["id"] for product in httpx.get(f"{stack.order}/products").json()[:3]] == ["p1", "p2", "p3"]
    placed = [
        httpx.post(f"{stack.order}/{path}", json={"items": ITEMS}, headers=alice) for path in ("orders", "create_order")
    ]
    assert [(answer.status_code, answer.json()["total"]) for answer in placed] == [(201, 64.88)] * 2
    ids = [answer.json()["order_id"] for answer in placed]
    assert [order["order_id"] for order in httpx.get(f"{stack.order}/orders", headers=alice).json()] == ids[::-1]

    stranger = httpx.get(f"{stack.order}/orders/{ids[0]}", headers=sign_in(stack.user, "mallory"))
    assert (stranger.status_code, stranger.json()["error"]) == (404, "not found")


def hardening(container: dict[str, Any]) -> dict[str, Any]:
    host = container["HostConfig"]
    return {
        "read-only": host["ReadonlyRootfs"],
        "dropped": host["CapDrop"],
        "privileges": host["SecurityOpt"],
        "limited": host["Memory"] > 0 and host["PidsLimit"] > 0,
        "privileged": host["Privileged"],
    }


def test_every_container_is_limited_read_only_and_without_capabilities(stack: Stack) -> None:
    containers = stack.containers()

    hard = {
        "read-only": True,
        "dropped": ["ALL"],
        "privileges": ["no-new-privileges:true"],
        "limited": True,
        "privileged": False,
    }
    assert {name: hardening(container) for name, container in containers.items()} == dict.fromkeys(containers, hard)
    granted = {name: container["HostConfig"]["CapAdd"] for name, container in containers.items()}
    assert {name: caps for name, caps in granted.items() if caps} == {"secrets-1": ["CAP_CHOWN"]}
    users = {name: container["Config"]["User"] for name, container in containers.items()}
    assert {name for name, user in users.items() if user != "10001:10001"} == {"secrets-1", "postgres-1"}
    assert stack.run("postgres", "id", "-un") == "postgres"


def test_proxy_and_mailbox_alone_publish_ports_and_on_loopback(stack: Stack) -> None:
    ports = {name: container["NetworkSettings"]["Ports"].values() for name, container in stack.containers().items()}
    published = {name: [one["HostIp"] for one in chain(*filter(None, all_of))] for name, all_of in ports.items()}

    assert {name: hosts for name, hosts in published.items() if hosts} == {
        "proxy-1": ["127.0.0.1"] * 3,
        "mail-1": ["127.0.0.1"],
    }


def environment(stack: Stack, service: str) -> dict[str, str]:
    lines = stack.run(service, "cat", "/run/shop/environment").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_every_reader_sees_its_own_secrets_and_docker_inspect_shows_none(stack: Stack) -> None:
    known = {service: environment(stack, service) for service in READERS}

    shared = {"DATABASE_URL", "TOKEN_SECRETS", "SERVICE_CREDENTIAL"}
    assert (known["user-service"].keys(), known["order-service"].keys()) == (shared, shared)
    assert known["user-service"]["TOKEN_SECRETS"] == known["order-service"]["TOKEN_SECRETS"]
    assert known["user-service"]["DATABASE_URL"] != known["order-service"]["DATABASE_URL"]
    assert stack.run("user-service", "ls", "/run/shop") == "environment"

    shown = json.dumps(stack.containers()) + stack.compose("config")
    values = {value for secrets in known.values() for value in secrets.values()}
    assert len(values) == 5 + 2 + 2  # passwords, shared secrets, addresses with a password in them
    assert all(len(value) >= 48 for value in values)
    assert [value for value in values if value in shown] == []


def test_only_the_reader_may_read_its_file(stack: Stack) -> None:
    found = {each: stack.run(each, "stat", "-c", "%a %u:%g", "/run/shop/environment") for each in READERS}

    postgres = stack.run("postgres", "id", "-g")
    assert found == {"postgres": f"640 0:{postgres}", "user-service": "640 0:10001", "order-service": "640 0:10001"}


NOT_OWNER, NO_SUCH_RIGHT = "ERROR:  must be owner of table users", "ERROR:  permission denied for schema public"
OWNER_OF_USERS = "SELECT tableowner FROM pg_tables WHERE tablename = 'users'"


@pytest.mark.parametrize(
    ("role", "statement", "answer"),
    [
        ("user_service", "ALTER TABLE users ADD COLUMN x int", NOT_OWNER),
        ("user_service", "DROP TABLE users", NOT_OWNER),
        ("user_service", "CREATE TABLE x (y int)", NO_SUCH_RIGHT),
        ("user_service", "CREATE ROLE x", "ERROR:  permission denied to create role"),
        ("user_service", "DELETE FROM alembic_version", "ERROR:  permission denied for table alembic_version"),
        ("user_service", "DELETE FROM users WHERE false RETURNING 1", ""),
        ("user_service_owner", OWNER_OF_USERS, "user_service_owner"),
    ],
)
def test_service_role_changes_rows_but_alters_no_table(stack: Stack, role: str, statement: str, answer: str) -> None:
    assert stack.sql(role, "user_service", statement).splitlines()[:1] == [answer][: bool(answer)]


@pytest.mark.parametrize("role", ["user_service", "user_service_owner"])
def test_service_roles_connect_to_their_own_database_only(stack: Stack, role: str) -> None:
    assert stack.sql(role, "user_service", "SELECT 1") == "1"
    assert 'permission denied for database "order_service"' in stack.sql(role, "order_service", "SELECT 1")


def test_a_session_that_ends_at_one_service_ends_at_the_other(stack: Stack) -> None:
    erin = sign_in(stack.user, "erin")
    assert httpx.get(f"{stack.order}/orders", headers=erin).status_code == 200

    assert httpx.post(f"{stack.user}/logout", headers=erin).status_code == 204

    eventually(lambda: httpx.get(f"{stack.order}/orders", headers=erin).status_code == 401, "order-service heard of it")


GUESSES = """
import http.client, json
proxy = http.client.HTTPConnection("proxy", 5001)
for number in range(100):
    account = json.dumps({"username": f"victim{number}", "password": "wrong horse"})
    headers = {"Content-Type": "application/json", "X-Forwarded-For": f"198.51.100.{number}"}
    proxy.request("POST", "/login", account, headers)
    answer = proxy.getresponse()
    answer.read()
    print(answer.status)
"""


def test_rate_limits_count_by_the_client_that_the_proxy_saw(stack: Stack) -> None:
    account = {"username": "nobody", "password": "wrong horse"}

    # One client guesses with forged addresses; another client sends its first request.
    assert stack.run("order-service", "python", "-c", GUESSES).split()[-1] == "429"
    assert httpx.post(f"{stack.user}/login", json=account).status_code == 401


def test_many_sign_ins_at_once_fit_into_the_memory_that_a_service_gets(stack: Stack) -> None:
    customers = [f"frank{number}" for number in range(12)]
    for customer in customers:
        sign_in(stack.user, customer)

    def login(number: int) -> int:
        account = {"username": customers[number % len(customers)], "password": "violet-harbour-42"}
        return httpx.post(f"{stack.user}/login", json=account, timeout=60).status_code

    with ThreadPoolExecutor(len(customers)) as clients:
        statuses = set(clients.map(login, range(120)))

    assert 200 in statuses <= {200, 503}
    assert stack.containers()["user-service-1"]["RestartCount"] == 0


def test_log_lines_of_the_server_and_the_service_name_the_service(stack: Stack) -> None:
    lines = stack.compose("logs", "--no-log-prefix", "user-service").splitlines()

    assert {json.loads(line)["service"] for line in lines} == {"user-service"}


def test_orders_survive_kill_9_of_everything_and_a_new_set_of_containers(stack: Stack) -> None:
    carol = sign_in(stack.user, "carol")
    order = httpx.post(f"{stack.order}/orders", json={"items": ITEMS}, headers=carol).json()
    before = environment(stack, "order-service")

    for interruption in (("kill", "postgres", "user-service", "order-service"), ("down",)):
        stack.compose(*interruption)
        stack.up()
        # Old token and old order: secrets and data have survived.
        read = httpx.get(f"{stack.order}/orders/{order['order_id']}", headers=carol)
        assert (read.status_code, read.json()) == (200, order)

    assert environment(stack, "order-service") == before
    products = httpx.get(f"{stack.order}/products?limit=100").json()
    assert len({product["id"] for product in products}) == len(products) == 64


def test_killed_service_is_restarted(stack: Stack) -> None:
    pid = stack.containers()["user-service-1"]["State"]["Pid"]

    # From outside of the container: its first process ignores SIGKILL from inside, and after `docker kill` the engine
    # would not restart it.
    docker("run", "--rm", "--pid", "host", os.environ["PYTHON_IMAGE"], "sh", "-c", f"kill -9 {pid}")

    eventually(lambda: stack.containers()["user-service-1"]["State"]["Pid"] not in {0, pid}, "a new process")
    eventually(lambda: answers(f"{stack.user}/readyz"), "user-service is ready again")
