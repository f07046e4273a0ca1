-- What partitioning of the orders by time would change. On a server of PostgreSQL 18 that is there to play with:
--   psql -X -d scratch -f bench/partitioning.sql
-- A million orders of a year, 50,000 buyers, once in one table and once in twelve partitions by the UUIDv7's time.
\set ON_ERROR_STOP off
\pset pager off
\timing off

CREATE TABLE whole (
    id uuid PRIMARY KEY, buyer_id text NOT NULL, status text NOT NULL, idempotency_key text, receipt text,
    CONSTRAINT whole_one_per_key UNIQUE (buyer_id, idempotency_key)
);
CREATE INDEX whole_by_buyer ON whole (buyer_id, id);

-- Uniqueness over all partitions needs the partition key in it: refused, and with it every claim of ON CONFLICT.
CREATE TABLE refused (id uuid PRIMARY KEY, buyer_id text NOT NULL, idempotency_key text,
                      UNIQUE (buyer_id, idempotency_key)) PARTITION BY RANGE (id);

-- The way out: the keys have a table of their own, divided by what is in the constraint anyway. It is claimed first.
CREATE TABLE keys (
    buyer_id text, idempotency_key text, order_id uuid NOT NULL, fingerprint bytea, PRIMARY KEY (buyer_id, idempotency_key)
) PARTITION BY HASH (buyer_id);
SELECT format('CREATE TABLE keys_%s PARTITION OF keys FOR VALUES WITH (MODULUS 4, REMAINDER %s)', n, n)
FROM generate_series(0, 3) AS n \gexec

CREATE TABLE parted (id uuid PRIMARY KEY, buyer_id text NOT NULL, status text NOT NULL, receipt text)
    PARTITION BY RANGE (id);
CREATE INDEX parted_by_buyer ON parted (buyer_id, id);

-- The smallest UUID of a moment: its milliseconds in the first 48 bits, and nothing after them.
CREATE FUNCTION first_of(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
SELECT format('CREATE TABLE parted_%s PARTITION OF parted FOR VALUES FROM (%L) TO (%L)', 11 - n,
              first_of(date_trunc('day', now()) + interval '1 day' - (n + 1) * interval '1 month'),
              first_of(date_trunc('day', now()) + interval '1 day' - n * interval '1 month'))
FROM generate_series(11, 0, -1) AS n \gexec

SELECT setseed(0.5);
INSERT INTO whole
SELECT uuidv7((n - 1000000) * interval '364 days' / 1000000), 'u-' || md5(floor(random() * 50000)::text), 'placed',
       gen_random_uuid()::text, repeat('as it was answered ', 20)
FROM generate_series(1, 1000000) AS n;
INSERT INTO parted SELECT id, buyer_id, status, receipt FROM whole ORDER BY id;
INSERT INTO keys SELECT buyer_id, idempotency_key, id FROM whole;
VACUUM ANALYZE whole; VACUUM ANALYZE parted; VACUUM ANALYZE keys;

SELECT buyer_id AS buyer, id AS one FROM whole OFFSET 700000 LIMIT 1 \gset
SELECT id AS middle FROM whole WHERE buyer_id = :'buyer' ORDER BY id DESC OFFSET 9 LIMIT 1 \gset
SET plan_cache_mode = force_generic_plan;  -- what a prepared statement comes to
PREPARE one_w(uuid, text) AS SELECT receipt FROM whole WHERE id = $1 AND buyer_id = $2;
PREPARE one_p(uuid, text) AS SELECT receipt FROM parted WHERE id = $1 AND buyer_id = $2;
PREPARE first_w(text) AS SELECT receipt FROM whole WHERE buyer_id = $1 ORDER BY id DESC LIMIT 6;
PREPARE first_p(text) AS SELECT receipt FROM parted WHERE buyer_id = $1 ORDER BY id DESC LIMIT 6;
PREPARE whole_w(text) AS SELECT receipt FROM whole WHERE buyer_id = $1 ORDER BY id DESC LIMIT 51;
PREPARE whole_p(text) AS SELECT receipt FROM parted WHERE buyer_id = $1 ORDER BY id DESC LIMIT 51;
PREPARE next_w(text, uuid) AS SELECT receipt FROM whole WHERE buyer_id = $1 AND id < $2 ORDER BY id DESC LIMIT 6;
PREPARE next_p(text, uuid) AS SELECT receipt FROM parted WHERE buyer_id = $1 AND id < $2 ORDER BY id DESC LIMIT 6;
\o /dev/null
EXECUTE one_w(:'one', :'buyer'); EXECUTE one_p(:'one', :'buyer'); EXECUTE first_w(:'buyer'); EXECUTE first_p(:'buyer');
EXECUTE whole_w(:'buyer'); EXECUTE whole_p(:'buyer');
EXECUTE next_w(:'buyer', :'middle'); EXECUTE next_p(:'buyer', :'middle');
\o
\echo ==== one order
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE one_w(:'one', :'buyer');
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE one_p(:'one', :'buyer');
\echo ==== the newest 6 of about 20
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE first_w(:'buyer');
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE first_p(:'buyer');
\echo ==== a page that is longer than the history
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE whole_w(:'buyer');
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE whole_p(:'buyer');
\echo ==== the page after the tenth
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE next_w(:'buyer', :'middle');
EXPLAIN (ANALYZE, BUFFERS, COSTS off) EXECUTE next_p(:'buyer', :'middle');
\echo ==== the claim of a key and the order in one statement
WITH claim AS (
    INSERT INTO keys (buyer_id, idempotency_key, order_id) VALUES (:'buyer', 'once', uuidv7())
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING RETURNING order_id
)
INSERT INTO parted (id, buyer_id, status) SELECT order_id, :'buyer', 'placed' FROM claim RETURNING id IS NOT NULL AS placed;
WITH claim AS (
    INSERT INTO keys (buyer_id, idempotency_key, order_id) VALUES (:'buyer', 'once', uuidv7())
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING RETURNING order_id
)
INSERT INTO parted (id, buyer_id, status) SELECT order_id, :'buyer', 'placed' FROM claim RETURNING id IS NOT NULL AS placed;
\echo ==== bytes of the indexes that take keys in random order: of all orders, and of the newest partition
SELECT pg_size_pretty(pg_relation_size('whole_by_buyer')) AS by_buyer, pg_size_pretty(pg_relation_size('whole_one_per_key')) AS by_key,
       pg_size_pretty(pg_relation_size('parted_11_buyer_id_id_idx')) AS newest_by_buyer;
\echo ==== to drop a month
ALTER TABLE parted DETACH PARTITION parted_0;
\timing on
DROP TABLE parted_0;
\timing off
