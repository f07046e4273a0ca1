"""Make refresh tokens and the digests that the database stores; the database alone yields no token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import NamedTuple

REUSE_LEEWAY_SECONDS = 10
"""How long a client may repeat a refresh: its answer was lost, or two of its tabs asked at once."""


class Client(NamedTuple):
    """A client, as far as a repeated refresh must come from the same: User-Agent header and network of the address."""

    user_agent: str
    network: str


def new_token() -> str:
    return secrets.token_urlsafe(32)


def new_successor_key() -> bytes:
    return secrets.token_bytes(32)


def successor(token: str, key: bytes) -> str:
    """Return the token that replaces `token`; it needs both the token and the key in the database."""
    return urlsafe_b64encode(hmac.digest(key, token.encode(), "sha256")).decode().rstrip("=")


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def client_mark(token: str, client: Client) -> bytes:
    """Return a digest that tells whether the same client sends the token again; it reveals nothing of the client."""
    return hmac.digest(token.encode(), "\n".join(client).encode(errors="replace"), "sha256")
