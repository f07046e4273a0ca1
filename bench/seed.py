"""Fill a shop with products, accounts and orders, by SQL; the same shape at every size."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from localshop import Trouble
from localshop.shop import Shop
from user_service.accounts.passwords import ARGON2ID

PASSWORD = "amber-lighthouse-7"
ORDERS_PER_BUYER = 20
PATIENT_ORDERS = 20_050  # of one buyer in a grown shop: a thousand pages of a list
AMPLE = 1_000_000_000


class Size(NamedTuple):
    products: int
    users: int
    orders: int
    patient: int = 0

    @property
    def buyers(self) -> int:
        """How many of the users have ordered; each as often as in a shop of any other size."""
        return self.orders // ORDERS_PER_BUYER


SMALL = Size(products=1_000, users=1_000, orders=1_000)
GROWN = Size(products=100_000, users=100_000, orders=1_000_000, patient=PATIENT_ORDERS)


def fill(shop: Shop, size: Size) -> None:
    """Put `size` into the databases of a running shop that keeps what it has acknowledged."""
    assert shop.postgres is not None  # noqa: S101 - the shops of a benchmark bring their own server
    password_hash = ARGON2ID.hash(PASSWORD)
    with psycopg.connect(shop.postgres.url("user_service"), autocommit=True) as connection:
        connection.execute(USERS, {"users": size.users, "hash": password_hash})
        connection.execute(SESSIONS)
        connection.execute("VACUUM ANALYZE")
    with psycopg.connect(shop.postgres.url("order_service"), autocommit=True) as connection:
        _require_durable(connection)
        connection.execute("TRUNCATE products RESTART IDENTITY")
        connection.execute(PRODUCTS, {"products": size.products, "stock": AMPLE})
        connection.execute("SET session_replication_role = replica")  # no foreign key is asked a million times
        connection.execute(ORDERS, size._asdict() | {"buyers": size.buyers, "patient_buyer": size.users})
        connection.execute(LINES, {"products": size.products})
        connection.execute("RESET session_replication_role")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _require_durable(connection: psycopg.Connection) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        if connection.execute(f"SHOW {setting}").fetchone() != ("on",):
            raise Trouble(f"PostgreSQL runs with {setting} off: that would measure something else")


def audit(shop: Shop) -> None:
    """Raise Trouble unless what has left the shelves is what the orders say."""
    with psycopg.connect(shop.order.database_url) as connection:
        row = connection.execute(SOLD, {"stock": AMPLE}).fetchone()
    if row is None or row[0] != row[1] or not row[0]:
        raise Trouble(f"the books do not balance: taken and ordered are {row}")


# Of the seed's orders nothing was ever taken.
SOLD = """
SELECT (SELECT sum(%(stock)s - stock) FROM products),
       (SELECT sum(qty) FROM order_lines JOIN orders ON id = order_id WHERE idempotency_key NOT LIKE 'seed-%%')
"""

USERS = """
INSERT INTO users (id, username, username_digest, password_hash, name, email, email_key)
SELECT 'u-' || lpad(n::text, 32, '0'), 'user' || n, sha256(('user' || n)::bytea), %(hash)s, 'User ' || n,
       'user' || n || '@example.org', 'user' || n || '@example.org'
FROM generate_series(1, %(users)s) AS n
"""

SESSIONS = """
INSERT INTO sessions (id, user_id, user_agent, expires_at)
SELECT 's-' || substr(id, 3), id, 'wrk', now() + interval '30 days' FROM users ORDER BY id
"""

PRODUCTS = """
INSERT INTO products (id, name, description, category, price_minor, currency, stock)
SELECT 'p' || n, initcap(material) || ' ' || thing || ' ' || n,
       'A ' || thing || ' of ' || material || ', made to last; number ' || n || ' of its kind in this catalogue.',
       'Category ' || n %% 20, 500 + n %% 9000, 'EUR', %(stock)s
FROM generate_series(1, %(products)s) AS n,
     LATERAL (SELECT (ARRAY['oak', 'steel', 'wool', 'linen', 'glass', 'copper', 'cork'])[1 + n %% 7] AS material,
                     (ARRAY['lamp', 'chair', 'kettle', 'blanket', 'keyboard'])[1 + n %% 5] AS thing) AS words
ORDER BY n
"""

# Each buyer's orders lie scattered over the whole time, as they would after years.
ORDERS = """
INSERT INTO orders (id, buyer_id, buyer_name, status, currency, total_minor, placed_at, history, idempotency_key,
                    fingerprint, receipt)
SELECT id, 'u-' || lpad(buyer::text, 32, '0'), 'user' || buyer, 'placed', 'EUR', 3000, at,
       jsonb_build_array(jsonb_build_object('status', 'placed', 'at', at)), 'seed-' || n, sha256(n::text::bytea),
       format('{"order_id":"o-%%s","user":"user%%s","receipt":"%%s"}', id, buyer, repeat('as it was answered ', 25))
FROM generate_series(1, %(orders)s + %(patient)s) AS n,
     LATERAL (SELECT CASE WHEN n <= %(orders)s THEN 1 + n %% %(buyers)s ELSE %(patient_buyer)s END AS buyer,
                     (n - %(orders)s - %(patient)s) * interval '1 second' AS ago) AS facts,
     LATERAL (SELECT uuidv7(ago) AS id, now() + ago AS at) AS moment
ORDER BY n
"""

LINES = """
INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty)
SELECT id, line, 'p' || product, 'Product ' || product, 1000, line
FROM (SELECT id, substr(idempotency_key, 6)::bigint AS n FROM orders) AS o, generate_series(1, 2) AS line,
     LATERAL (SELECT 1 + (n * 7919 + line * 13) %% %(products)s AS product) AS choice
"""
