"""A client whose connection is cut before it reads an answer asks again, and stays signed in."""

from __future__ import annotations

import json
import socket
import struct
import time

import httpx
import psycopg

from localshop.service import Service
from localshop.shop import Shop

ACCOUNT = {"username": "alice", "password": "violet-harbour-42"}
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a network that goes away does


def test_refresh_whose_answer_was_lost_can_be_repeated(shop: Shop) -> None:
    # given
    httpx.post(f"{shop.user.url}/register", json=ACCOUNT).raise_for_status()
    token = httpx.post(f"{shop.user.url}/login", json=ACCOUNT).raise_for_status().json()["refresh_token"]
    # when
    send_and_leave(shop.user, token)
    # then
    with httpx.Client(headers={"User-Agent": "phone"}, base_url=shop.user.url) as phone:
        again = phone.post("/token/refresh", json={"refresh_token": token}).raise_for_status().json()
        phone.get("/profile", headers={"Authorization": f"Bearer {again['token']}"}).raise_for_status()
        phone.post("/token/refresh", json={"refresh_token": again["refresh_token"]}).raise_for_status()
        assert phone.post("/token/refresh", json={"refresh_token": token}).status_code == 401


def send_and_leave(service: Service, token: str) -> None:
    """Ask for a refresh, and cut the connection once the database has made it."""
    body = json.dumps({"refresh_token": token})
    head = f"POST /token/refresh HTTP/1.1\r\nHost: x\r\nUser-Agent: phone\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
        deadline = time.monotonic() + 30
        while not used(service):
            assert time.monotonic() < deadline, "the refresh never happened"
            time.sleep(0.01)


def used(service: Service) -> bool:
    with psycopg.connect(service.database_url) as connection:
        return connection.execute("SELECT FROM refresh_tokens WHERE uses > 0").fetchone() is not None
