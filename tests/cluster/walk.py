"""Run in a pod with only Python: check the contract, or place orders until /tmp/stop exists.

Usage: python - walk|buy USERS_URL ORDERS_URL. Prints one JSON document.
"""

import http.client
import json
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

USERS, ORDERS = sys.argv[2:4]
STOP = Path("/tmp/stop")


def call(method: str, url: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
    """Send one request over a new connection; return status and document."""
    where = urlsplit(url)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        connection.request(method, where.path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text) if text else None


def new_customer() -> tuple[dict[str, str], str]:
    account = {"username": "e2e-" + uuid.uuid4().hex[:12], "password": "violet-harbour-42"}
    call("POST", USERS + "/register", account)
    return account, call("POST", USERS + "/login", account)[1]["token"]


def walk() -> dict[str, Any]:
    account, token = new_customer()
    items = [{"product_id": "p1", "qty": 2}, {"product_id": "p3", "qty": 1}]
    placed_status, placed = call("POST", ORDERS + "/orders", {"items": items}, token)
    order = ORDERS + "/orders/" + str(placed.get("order_id"))
    return {
        "registered twice": call("POST", USERS + "/register", account)[0],
        "wrong password": call("POST", USERS + "/login", dict(account, password="wrong-password-1"))[0],
        "profile": call("GET", USERS + "/profile", token=token)[1].get("username") == account["username"],
        "profile of nobody": call("GET", USERS + "/profile")[0],
        "products": len(call("GET", ORDERS + "/products")[1]) > 0,
        "order": [placed_status, placed.get("total")],
        "order of nobody": call("POST", ORDERS + "/orders", {"items": items})[0],
        "order read": call("GET", order, token=token)[0],
        "order listed": [each["order_id"] for each in call("GET", ORDERS + "/orders", token=token)[1]]
        == [placed.get("order_id")],
        "order of somebody else": call("GET", order, token=new_customer()[1])[0],
    }


def buy() -> dict[str, Any]:
    _, token = new_customer()
    requests: list[tuple[str, str, Any, int]] = [
        ("GET", ORDERS + "/products", None, 200),
        ("GET", USERS + "/profile", None, 200),
        ("GET", ORDERS + "/orders", None, 200),
        ("POST", ORDERS + "/orders", {"items": [{"product_id": "p2", "qty": 1}]}, 201),
    ]
    deadline = time.monotonic() + 600
    counts = [0]
    failures: list[list[object]] = []

    def one_buyer() -> None:
        while not STOP.exists() and time.monotonic() < deadline:
            for method, url, body, expected in requests:
                began = time.strftime("%H:%M:%S")
                try:
                    status: object = call(method, url, body, token)[0]
                except (OSError, http.client.HTTPException, ValueError) as failure:
                    status = repr(failure)
                counts[0] += 1
                if status != expected:
                    failures.append([began, method, url, status])
                time.sleep(0.02)

    buyers = [threading.Thread(target=one_buyer) for _ in range(4)]
    for each in buyers:
        each.start()
    for each in buyers:
        each.join()
    return {"requests": counts[0], "failures": failures[:20], "failed": len(failures)}


print(json.dumps({"walk": walk, "buy": buy}[sys.argv[1]]()))
