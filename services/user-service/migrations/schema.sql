-- What the migrations make. Written by `make schema`.

CREATE FUNCTION public.note_ending() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('endings'));
            IF TG_TABLE_NAME = 'sessions' THEN
                INSERT INTO endings (session_id) VALUES (NEW.id);
            ELSE
                INSERT INTO endings (user_id) VALUES (NEW.id);
            END IF;
            DELETE FROM endings WHERE session_id IS NOT NULL AND at < now() - interval '2 days';
            RETURN NULL;
        END $$;

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

CREATE TABLE public.endings (
    version bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    session_id text,
    user_id text,
    CONSTRAINT endings_are_of_one_kind CHECK ((num_nonnulls(session_id, user_id) = 1))
);

ALTER TABLE public.endings ALTER COLUMN version ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.endings_version_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.passkeys (
    credential_id bytea NOT NULL,
    user_id text NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone
);

CREATE TABLE public.recovery_codes (
    user_id text NOT NULL,
    digest bytea NOT NULL
);

CREATE TABLE public.refresh_tokens (
    digest bytea NOT NULL,
    session_id text NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sessions (
    id text DEFAULT ('s-'::text || replace((uuidv7())::text, '-'::text, ''::text)) NOT NULL,
    user_id text NOT NULL,
    user_agent text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    spent_token bytea,
    spent_by bytea,
    successor_key bytea,
    second_factor boolean DEFAULT false NOT NULL
);

CREATE TABLE public.used_challenges (
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.users (
    id text DEFAULT ('u-'::text || replace((uuidv7())::text, '-'::text, ''::text)) NOT NULL,
    username_digest bytea NOT NULL,
    username text,
    password_hash text,
    password_changed_at timestamp with time zone DEFAULT now() NOT NULL,
    name text,
    email text,
    email_key text,
    phone text,
    shipping_address jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    roles text[] DEFAULT '{}'::text[] NOT NULL,
    disabled_at timestamp with time zone,
    totp_secret text,
    totp_since timestamp with time zone,
    totp_step bigint DEFAULT 0 NOT NULL,
    totp_offered text,
    CONSTRAINT users_can_sign_in CHECK (((deleted_at IS NOT NULL) OR ((username IS NOT NULL) AND (password_hash IS NOT NULL)))),
    CONSTRAINT users_deleted_have_no_rights CHECK (((deleted_at IS NULL) OR ((roles = '{}'::text[]) AND (num_nonnulls(totp_secret, totp_offered) = 0)))),
    CONSTRAINT users_deleted_means_erased CHECK (((deleted_at IS NULL) OR (num_nonnulls(username, password_hash, name, email, email_key, phone, shipping_address) = 0))),
    CONSTRAINT users_email_has_its_key CHECK (((email IS NULL) = (email_key IS NULL))),
    CONSTRAINT users_roles_are_known CHECK ((roles <@ ARRAY['staff'::text])),
    CONSTRAINT users_totp_has_its_time CHECK (((totp_secret IS NULL) = (totp_since IS NULL)))
);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.endings
    ADD CONSTRAINT endings_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (credential_id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, digest);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.used_challenges
    ADD CONSTRAINT used_challenges_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_unique UNIQUE (email_key);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_unique UNIQUE (username_digest);

CREATE INDEX audit_entries_by_staff ON public.audit_entries USING btree (staff_id, id);

CREATE INDEX audit_entries_by_subject ON public.audit_entries USING btree (subject, id);

CREATE INDEX endings_by_time ON public.endings USING btree (at);

CREATE INDEX passkeys_by_user ON public.passkeys USING btree (user_id);

CREATE INDEX refresh_tokens_by_session ON public.refresh_tokens USING btree (session_id);

CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);

CREATE INDEX used_challenges_by_expiry ON public.used_challenges USING btree (expires_at);

CREATE INDEX users_with_roles ON public.users USING btree (id) WHERE (roles <> '{}'::text[]);

CREATE CONSTRAINT TRIGGER sessions_note_ending AFTER UPDATE ON public.sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.ended_at IS NULL) AND (new.ended_at IS NOT NULL))) EXECUTE FUNCTION public.note_ending();

CREATE CONSTRAINT TRIGGER users_note_erasure AFTER UPDATE ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.deleted_at IS NULL) AND (new.deleted_at IS NOT NULL))) EXECUTE FUNCTION public.note_ending();

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
