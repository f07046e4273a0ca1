-- What the migrations make. Written by `make schema`.

CREATE TABLE public.audit_entries (
    id uuid DEFAULT uuidv7() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    staff_id text,
    staff_name text,
    action text NOT NULL,
    subject text NOT NULL,
    before jsonb,
    after jsonb
);

CREATE TABLE public.ended_sessions (
    session_id text NOT NULL,
    ended_at timestamp with time zone NOT NULL
);

CREATE TABLE public.erased_buyers (
    buyer_id text NOT NULL,
    erased_at timestamp with time zone NOT NULL
);

CREATE TABLE public.order_lines (
    order_id uuid NOT NULL,
    line smallint NOT NULL,
    product_id text NOT NULL,
    name text NOT NULL,
    unit_price_minor bigint NOT NULL,
    qty integer NOT NULL,
    CONSTRAINT order_lines_price_never_negative CHECK ((unit_price_minor >= 0)),
    CONSTRAINT order_lines_qty_in_range CHECK (((qty >= 1) AND (qty <= 999)))
);

CREATE TABLE public.orders (
    id uuid NOT NULL,
    buyer_id text NOT NULL,
    buyer_name text,
    status text NOT NULL,
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    ship_to jsonb,
    placed_at timestamp with time zone NOT NULL,
    history jsonb NOT NULL,
    idempotency_key text,
    fingerprint bytea,
    receipt text,
    CONSTRAINT orders_status_known CHECK ((status = ANY (ARRAY['placed'::text, 'cancelled'::text]))),
    CONSTRAINT orders_total_never_negative CHECK ((total_minor >= 0))
);

COMMENT ON COLUMN public.orders.id IS 'UUIDv7: sorts by time';

COMMENT ON COLUMN public.orders.history IS '[{status, at}], oldest first';

COMMENT ON COLUMN public.orders.fingerprint IS 'of the request that the key came with';

COMMENT ON COLUMN public.orders.receipt IS 'the answer to that request, to the byte';

CREATE TABLE public.products (
    id text NOT NULL,
    "position" bigint NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    category text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    stock integer NOT NULL,
    search tsvector DEFAULT ''::tsvector NOT NULL,
    active boolean DEFAULT true NOT NULL,
    images text[],
    tax_class text DEFAULT 'standard'::text NOT NULL,
    group_id text,
    options jsonb,
    indexed_as text,
    price numeric GENERATED ALWAYS AS (((price_minor)::numeric *
CASE
    WHEN (currency = ANY (ARRAY['BIF'::text, 'CLP'::text, 'DJF'::text, 'GNF'::text, 'ISK'::text, 'JPY'::text, 'KMF'::text, 'KRW'::text, 'PYG'::text, 'RWF'::text, 'UGX'::text, 'UYI'::text, 'VND'::text, 'VUV'::text, 'XAF'::text, 'XOF'::text, 'XPF'::text])) THEN (1)::numeric
    WHEN (currency = ANY (ARRAY['BHD'::text, 'IQD'::text, 'JOD'::text, 'KWD'::text, 'LYD'::text, 'OMR'::text, 'TND'::text])) THEN 0.001
    WHEN (currency = ANY (ARRAY['CLF'::text, 'UYW'::text])) THEN 0.0001
    ELSE 0.01
END)) STORED NOT NULL,
    CONSTRAINT products_price_never_negative CHECK ((price_minor >= 0)),
    CONSTRAINT products_stock_never_negative CHECK ((stock >= 0))
)
WITH (fillfactor='70');

COMMENT ON COLUMN public.products."position" IS 'the catalogue''s own order';

COMMENT ON COLUMN public.products.price_minor IS 'in the smallest unit of the currency';

COMMENT ON COLUMN public.products.currency IS 'ISO 4217';

COMMENT ON COLUMN public.products.stock IS 'units that can still be sold';

COMMENT ON COLUMN public.products.search IS 'written by catalog/search.py';

COMMENT ON COLUMN public.products.active IS 'an inactive product is neither listed nor sold';

COMMENT ON COLUMN public.products.images IS 'URLs; NULL: none';

COMMENT ON COLUMN public.products.group_id IS 'shared by the variants of one article';

COMMENT ON COLUMN public.products.options IS 'what tells a variant from others, such as {"Size": "M"}; NULL: nothing';

COMMENT ON COLUMN public.products.indexed_as IS 'language and version of search; NULL: not yet written';

ALTER TABLE public.products ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.products_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.session_feed (
    version bigint NOT NULL,
    singleton boolean DEFAULT true NOT NULL,
    at timestamp with time zone,
    CONSTRAINT session_feed_has_one_row CHECK (singleton)
);

CREATE TABLE public.stock_movements (
    product_id text NOT NULL,
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    units integer NOT NULL,
    order_id uuid,
    reason text,
    idempotency_key text,
    CONSTRAINT stock_movements_kind_known CHECK ((kind = ANY (ARRAY['opening'::text, 'sale'::text, 'cancellation'::text, 'adjustment'::text, 'import'::text, 'refund'::text]))),
    CONSTRAINT stock_movements_move_something CHECK ((units <> 0))
);

COMMENT ON TABLE public.stock_movements IS 'the sum of a product''s units is its stock';

ALTER TABLE public.stock_movements ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.stock_movements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ended_sessions
    ADD CONSTRAINT ended_sessions_pkey PRIMARY KEY (session_id);

ALTER TABLE ONLY public.erased_buyers
    ADD CONSTRAINT erased_buyers_pkey PRIMARY KEY (buyer_id);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_one_per_idempotency_key UNIQUE (buyer_id, idempotency_key);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_position_key UNIQUE ("position");

ALTER TABLE ONLY public.session_feed
    ADD CONSTRAINT session_feed_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.stock_movements
    ADD CONSTRAINT stock_movements_pkey PRIMARY KEY (product_id, id);

CREATE INDEX audit_entries_by_staff ON public.audit_entries USING btree (staff_id, id);

CREATE INDEX audit_entries_by_subject ON public.audit_entries USING btree (subject, id);

CREATE INDEX ended_sessions_by_time ON public.ended_sessions USING btree (ended_at);

CREATE INDEX orders_by_buyer ON public.orders USING btree (buyer_id, id);

CREATE INDEX products_by_category ON public.products USING btree (category, "position");

CREATE INDEX products_by_group ON public.products USING btree (group_id, "position") WHERE (group_id IS NOT NULL);

CREATE INDEX products_by_name ON public.products USING btree (lower(name), "position");

CREATE INDEX products_by_price ON public.products USING btree (price_minor, "position");

CREATE INDEX products_search ON public.products USING gin (search);

CREATE UNIQUE INDEX stock_movements_one_per_idempotency_key ON public.stock_movements USING btree (product_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id) ON DELETE CASCADE;
