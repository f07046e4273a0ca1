"""Make refresh tokens, and what the database keeps of them: nothing there is a token, or makes one by itself."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import NamedTuple

REUSE_LEEWAY_SECONDS = 10
"""For so long a client may send a token again: the answer was lost, or two of its tabs asked at once."""


class Client(NamedTuple):
    """What tells one client from another: the User-Agent header and the network of its address."""

    user_agent: str
    network: str


def new_token() -> str:
    return secrets.token_urlsafe(32)


def new_successor_key() -> bytes:
    return secrets.token_bytes(32)


def successor(token: str, key: bytes) -> str:
    """Return the token that replaces `token`; it takes both the token and the key of its session to know it."""
    return urlsafe_b64encode(hmac.digest(key, token.encode(), "sha256")).decode().rstrip("=")


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def client_mark(token: str, client: Client) -> bytes:
    """Return what tells whether the same client sends the token again; without the token it reveals nothing."""
    return hmac.digest(token.encode(), "\n".join(client).encode(errors="replace"), "sha256")
