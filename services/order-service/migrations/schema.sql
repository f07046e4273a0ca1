-- What the migrations make. Written by `make schema`.

CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);

CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);

CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);

CREATE FUNCTION public.order_number(id uuid) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    digits CONSTANT text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    bits CONSTANT bigint := ('x' || right(replace(id::text, '-', ''), 15))::bit(60)::bigint;
BEGIN
    RETURN substr(digits, (bits >> 55 & 31)::integer + 1, 1) || substr(digits, (bits >> 50 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 45 & 31)::integer + 1, 1) || substr(digits, (bits >> 40 & 31)::integer + 1, 1)
        || '-'
        || substr(digits, (bits >> 35 & 31)::integer + 1, 1) || substr(digits, (bits >> 30 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 25 & 31)::integer + 1, 1) || substr(digits, (bits >> 20 & 31)::integer + 1, 1)
        || '-'
        || substr(digits, (bits >> 15 & 31)::integer + 1, 1) || substr(digits, (bits >> 10 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 5 & 31)::integer + 1, 1) || substr(digits, (bits & 31)::integer + 1, 1);
END
$$;

CREATE TABLE public.payments (
    id uuid DEFAULT uuidv7() NOT NULL,
    order_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id text,
    url text,
    reference text,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text DEFAULT 'opening'::text NOT NULL,
    accepted boolean DEFAULT false NOT NULL,
    paid_minor bigint,
    paid_currency text,
    paid_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ask_at timestamp with time zone DEFAULT (now() + '00:02:00'::interval) NOT NULL,
    CONSTRAINT payments_accepted_when_paid CHECK (((status = 'paid'::text) OR (NOT accepted))),
    CONSTRAINT payments_of_something CHECK ((amount_minor > 0)),
    CONSTRAINT payments_status_known CHECK ((status = ANY (ARRAY['opening'::text, 'open'::text, 'paid'::text, 'failed'::text, 'expired'::text])))
);

COMMENT ON TABLE public.payments IS 'one row per hosted payment page';

COMMENT ON COLUMN public.payments.provider_id IS 'of the page, at the provider; NULL: not yet opened, or erased';

COMMENT ON COLUMN public.payments.reference IS 'what the provider refunds, such as a payment intent';

COMMENT ON COLUMN public.payments.accepted IS 'it pays the order; another paid one is refunded';

COMMENT ON COLUMN public.payments.paid_minor IS 'what the provider says was paid, in paid_currency';

COMMENT ON COLUMN public.payments.ask_at IS 'when to ask the provider again, in case an event was lost';

CREATE FUNCTION public.payments_of_order(which uuid) RETURNS SETOF public.payments
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM payments WHERE order_id = which;
END
$$;

CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;

CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;

CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;

CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);

CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;

CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;

CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;

CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION public.unpaid_of_product(buyer text, product text, OUT orders bigint, OUT units bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT count(*), coalesce(sum(qty), 0) INTO orders, units
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.buyer_id = buyer AND l.product_id = product
        AND o.status = 'placed' AND o.payment_status IN ('pending', 'failed');
END
$$;

COMMENT ON FUNCTION public.unpaid_of_product(buyer text, product text, OUT orders bigint, OUT units bigint) IS 'orders and units of a product that wait for this buyer''s payment';

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

CREATE TABLE public.mail_position (
    singleton boolean DEFAULT true NOT NULL,
    xid xid8 NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT mail_position_has_one_row CHECK (singleton)
);

COMMENT ON TABLE public.mail_position IS 'the last event whose mail is queued; no row before the first';

CREATE TABLE public.order_events (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    order_id uuid NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    total_minor bigint NOT NULL,
    currency text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    amount_minor bigint,
    CONSTRAINT order_events_type_known CHECK ((type = ANY (ARRAY['order.placed'::text, 'order.paid'::text, 'order.shipped'::text, 'order.delivered'::text, 'order.cancelled'::text, 'order.refunded'::text])))
);

COMMENT ON TABLE public.order_events IS 'append-only: what happened to orders, without personal data';

COMMENT ON COLUMN public.order_events.xid IS 'the transaction; 0 when it was of another server';

COMMENT ON COLUMN public.order_events.id IS 'UUIDv7: sorts by time';

COMMENT ON COLUMN public.order_events.status IS 'of the order, as are total and currency';

COMMENT ON COLUMN public.order_events.amount_minor IS 'what was paid or refunded; NULL for other events';

CREATE TABLE public.order_lines (
    order_id uuid NOT NULL,
    line smallint NOT NULL,
    product_id text NOT NULL,
    name text NOT NULL,
    unit_price_minor bigint NOT NULL,
    qty integer NOT NULL,
    tax_minor bigint DEFAULT 0 NOT NULL,
    refunded_qty integer DEFAULT 0 NOT NULL,
    CONSTRAINT order_lines_price_never_negative CHECK ((unit_price_minor >= 0)),
    CONSTRAINT order_lines_qty_in_range CHECK (((qty >= 1) AND (qty <= 999))),
    CONSTRAINT order_lines_refunded_at_most_what_was_sold CHECK (((refunded_qty >= 0) AND (refunded_qty <= qty)))
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
    email text,
    shipping_method text,
    shipping_name text,
    shipping_minor bigint DEFAULT 0 NOT NULL,
    shipping_tax_minor bigint DEFAULT 0 NOT NULL,
    tax_minor bigint DEFAULT 0 NOT NULL,
    tax jsonb,
    prices_include_tax boolean DEFAULT true NOT NULL,
    payment_status text DEFAULT 'not_required'::text NOT NULL,
    pay_until timestamp with time zone,
    paid_minor bigint DEFAULT 0 NOT NULL,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    shipment jsonb,
    email_refused_at timestamp with time zone,
    CONSTRAINT orders_payment_status_known CHECK ((payment_status = ANY (ARRAY['not_required'::text, 'pending'::text, 'failed'::text, 'paid'::text, 'partially_refunded'::text, 'refunded'::text]))),
    CONSTRAINT orders_refunded_at_most_what_was_paid CHECK (((refunded_minor >= 0) AND (refunded_minor <= paid_minor))),
    CONSTRAINT orders_status_known CHECK ((status = ANY (ARRAY['placed'::text, 'shipped'::text, 'delivered'::text, 'cancelled'::text]))),
    CONSTRAINT orders_total_never_negative CHECK ((total_minor >= 0))
);

COMMENT ON COLUMN public.orders.id IS 'UUIDv7: sorts by time';

COMMENT ON COLUMN public.orders.history IS '[{status, at}], oldest first';

COMMENT ON COLUMN public.orders.fingerprint IS 'of the request that the key came with';

COMMENT ON COLUMN public.orders.receipt IS 'the answer to that request, to the byte';

COMMENT ON COLUMN public.orders.shipping_method IS 'the id that was chosen; name and price are those of that day';

COMMENT ON COLUMN public.orders.shipping_tax_minor IS 'the part of tax_minor that belongs to shipping_minor';

COMMENT ON COLUMN public.orders.tax IS '[{rate, net_minor, tax_minor}]; NULL: no tax rate applied';

COMMENT ON COLUMN public.orders.pay_until IS 'until then the order waits for its payment';

COMMENT ON COLUMN public.orders.paid_minor IS 'by the payment that was accepted';

COMMENT ON COLUMN public.orders.refunded_minor IS 'of paid_minor: refunds that are done or under way';

COMMENT ON COLUMN public.orders.shipment IS '{carrier, tracking_number, tracking_url, shipped_at}; NULL: not shipped';

COMMENT ON COLUMN public.orders.email_refused_at IS 'when a mail server refused the address for good';

CREATE TABLE public.payment_events (
    provider text NOT NULL,
    event_id text NOT NULL,
    payment_id uuid,
    type text NOT NULL,
    outcome text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.payment_events IS 'the events of providers that were applied, each once';

COMMENT ON COLUMN public.payment_events.payment_id IS 'NULL: of no payment of ours';

CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);

CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;

CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;

CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);

CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;

CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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
END)) NOT NULL,
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

CREATE TABLE public.refunds (
    id uuid DEFAULT uuidv7() NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    failure text,
    provider_id text,
    lines jsonb,
    idempotency_key text,
    fingerprint bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT refunds_of_something CHECK ((amount_minor > 0)),
    CONSTRAINT refunds_reason_known CHECK ((reason = ANY (ARRAY['requested'::text, 'cancelled'::text, 'late'::text, 'duplicate'::text, 'mismatch'::text]))),
    CONSTRAINT refunds_status_known CHECK ((status = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.refunds.id IS 'the idempotency key at the provider';

COMMENT ON COLUMN public.refunds.reason IS 'requested and cancelled count in orders.refunded_minor; the others return a payment that was not accepted';

COMMENT ON COLUMN public.refunds.lines IS '[{line, qty}]; NULL: an amount';

CREATE TABLE public.session_feed (
    version bigint NOT NULL,
    singleton boolean DEFAULT true NOT NULL,
    at timestamp with time zone,
    CONSTRAINT session_feed_has_one_row CHECK (singleton)
);

CREATE TABLE public.shipping_methods (
    id text NOT NULL,
    name text NOT NULL,
    countries text[],
    currency text NOT NULL,
    price_minor bigint NOT NULL,
    free_from_minor bigint,
    tax_class text DEFAULT 'standard'::text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    "position" integer DEFAULT 0 NOT NULL,
    CONSTRAINT shipping_methods_free_from_never_negative CHECK ((free_from_minor >= 0)),
    CONSTRAINT shipping_methods_have_countries CHECK ((cardinality(countries) > 0)),
    CONSTRAINT shipping_methods_price_never_negative CHECK ((price_minor >= 0))
);

COMMENT ON COLUMN public.shipping_methods.countries IS 'ISO 3166-1 alpha-2; NULL: all';

COMMENT ON COLUMN public.shipping_methods.free_from_minor IS 'the goods'' value from which it costs nothing; NULL: never';

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

CREATE TABLE public.tax_rates (
    country text NOT NULL,
    tax_class text NOT NULL,
    rate numeric(6,3) NOT NULL,
    CONSTRAINT tax_rates_in_range CHECK (((rate >= (0)::numeric) AND (rate <= (100)::numeric)))
);

COMMENT ON COLUMN public.tax_rates.rate IS 'per cent';

CREATE TABLE public.test_payment_pages (
    id text NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    refunds jsonb DEFAULT '{}'::jsonb NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.test_payment_pages IS 'what a provider would keep, for PAYMENT_PROVIDER=test';

COMMENT ON COLUMN public.test_payment_pages.refunds IS 'minor units by the id of the refund';

CREATE TABLE public.webhook_deliveries (
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    payload text NOT NULL,
    status text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    give_up_at timestamp with time zone DEFAULT (now() + '3 days'::interval) NOT NULL,
    response_status smallint,
    failure text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_status_known CHECK ((status = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.webhook_deliveries.payload IS 'the body, the same in each attempt';

COMMENT ON COLUMN public.webhook_deliveries.attempts IS 'since the event, or since its replay';

COMMENT ON COLUMN public.webhook_deliveries.attempt_at IS 'the next attempt; during one, when another process may take over';

COMMENT ON COLUMN public.webhook_deliveries.response_status IS 'of the last attempt; NULL: no response';

CREATE TABLE public.webhook_position (
    singleton boolean DEFAULT true NOT NULL,
    xid xid8 NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT webhook_position_has_one_row CHECK (singleton)
);

COMMENT ON TABLE public.webhook_position IS 'the last event that has its deliveries; no row before the first';

CREATE TABLE public.webhooks (
    id uuid DEFAULT uuidv7() NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL,
    active boolean DEFAULT true NOT NULL,
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until timestamp with time zone,
    rests_until timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhooks_want_something CHECK ((cardinality(types) > 0))
);

COMMENT ON COLUMN public.webhooks.old_secret IS 'signs too until old_secret_until';

COMMENT ON COLUMN public.webhooks.rests_until IS 'no attempt before: the endpoint was slow';

ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);

ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);

ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ended_sessions
    ADD CONSTRAINT ended_sessions_pkey PRIMARY KEY (session_id);

ALTER TABLE ONLY public.erased_buyers
    ADD CONSTRAINT erased_buyers_pkey PRIMARY KEY (buyer_id);

ALTER TABLE ONLY public.mail_position
    ADD CONSTRAINT mail_position_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (xid, id);

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_one_per_idempotency_key UNIQUE (buyer_id, idempotency_key);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.payment_events
    ADD CONSTRAINT payment_events_pkey PRIMARY KEY (provider, event_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_one_per_page UNIQUE (provider, provider_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);

ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_position_key UNIQUE ("position");

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_one_per_idempotency_key UNIQUE (order_id, idempotency_key);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.session_feed
    ADD CONSTRAINT session_feed_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.shipping_methods
    ADD CONSTRAINT shipping_methods_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.stock_movements
    ADD CONSTRAINT stock_movements_pkey PRIMARY KEY (product_id, id);

ALTER TABLE ONLY public.tax_rates
    ADD CONSTRAINT tax_rates_pkey PRIMARY KEY (country, tax_class);

ALTER TABLE ONLY public.test_payment_pages
    ADD CONSTRAINT test_payment_pages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, event_id);

ALTER TABLE ONLY public.webhook_position
    ADD CONSTRAINT webhook_position_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

CREATE INDEX audit_entries_by_staff ON public.audit_entries USING btree (staff_id, id);

CREATE INDEX audit_entries_by_subject ON public.audit_entries USING btree (subject, id);

CREATE INDEX ended_sessions_by_time ON public.ended_sessions USING btree (ended_at);

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);

CREATE INDEX orders_by_buyer ON public.orders USING btree (buyer_id, id);

CREATE INDEX orders_by_email ON public.orders USING btree (lower(email)) WHERE (email IS NOT NULL);

CREATE INDEX orders_by_number ON public.orders USING btree (public.order_number(id));

CREATE INDEX orders_by_recipient ON public.orders USING btree (lower((ship_to ->> 'recipient'::text)) text_pattern_ops) WHERE (ship_to IS NOT NULL);

CREATE INDEX orders_email_refused ON public.orders USING btree (id) WHERE (email_refused_at IS NOT NULL);

CREATE INDEX orders_to_ship ON public.orders USING btree (id) WHERE ((status = 'placed'::text) AND (payment_status = ANY (ARRAY['not_required'::text, 'paid'::text, 'partially_refunded'::text])));

CREATE INDEX orders_unpaid ON public.orders USING btree (pay_until) WHERE ((status = 'placed'::text) AND (payment_status = ANY (ARRAY['pending'::text, 'failed'::text])));

CREATE INDEX orders_unpaid_by_buyer ON public.orders USING btree (buyer_id) WHERE ((status = 'placed'::text) AND (payment_status = ANY (ARRAY['pending'::text, 'failed'::text])));

CREATE INDEX payment_events_by_payment ON public.payment_events USING btree (payment_id);

CREATE INDEX payment_events_by_time ON public.payment_events USING btree (received_at);

CREATE INDEX payments_by_order ON public.payments USING btree (order_id);

CREATE UNIQUE INDEX payments_one_accepted ON public.payments USING btree (order_id) WHERE accepted;

CREATE UNIQUE INDEX payments_one_open ON public.payments USING btree (order_id) WHERE (status = ANY (ARRAY['opening'::text, 'open'::text]));

CREATE INDEX payments_to_ask ON public.payments USING btree (ask_at) WHERE (status = ANY (ARRAY['opening'::text, 'open'::text]));

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);

CREATE INDEX procrastinate_jobs_by_time ON public.procrastinate_jobs USING btree (scheduled_at) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);

CREATE INDEX products_by_category ON public.products USING btree (category, "position");

CREATE INDEX products_by_group ON public.products USING btree (group_id, "position") WHERE (group_id IS NOT NULL);

CREATE INDEX products_by_name ON public.products USING btree (lower(name), "position");

CREATE INDEX products_by_price ON public.products USING btree (price_minor, "position");

CREATE INDEX products_search ON public.products USING gin (search);

CREATE INDEX refunds_by_payment ON public.refunds USING btree (payment_id);

CREATE INDEX refunds_failed ON public.refunds USING btree (created_at) WHERE (status = 'failed'::text);

CREATE INDEX refunds_pending ON public.refunds USING btree (id) WHERE (status = 'pending'::text);

CREATE UNIQUE INDEX stock_movements_one_per_idempotency_key ON public.stock_movements USING btree (product_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX webhook_deliveries_by_status ON public.webhook_deliveries USING btree (webhook_id, status, event_id);

CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (webhook_id, attempt_at) WHERE (status = 'waiting'::text);

CREATE INDEX webhook_deliveries_finished ON public.webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();

ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
