"""The atomic statements that open, continue and end sessions."""

from __future__ import annotations

from chassis.db.statement import Statement

# The username comes first, as an address has no owner until it is verified: nobody can take a name by an address.
FIND_USER = """
SELECT id, username, password_hash, password_changed_at, disabled_at, totp_secret FROM users
WHERE username_digest = %(digest)s OR (email_key = %(email_key)s AND email_verified_at IS NOT NULL)
ORDER BY username_digest = %(digest)s DESC LIMIT 1
"""
FIND_PENDING = """
SELECT id, username, password_changed_at, totp_secret FROM users
WHERE id = %(user_id)s AND password_changed_at = %(password_changed_at)s AND disabled_at IS NULL AND deleted_at IS NULL
"""

# FOR SHARE reads the newest row after waiting for a change of it: no session may open after a new password, a deletion
# or a disabling has ended all sessions, nor with the proofs of before a second factor was switched on.
OPEN = Statement("""-- open_session
WITH owner AS (
    SELECT id, roles, email_verified_at IS NOT NULL AS has_mail FROM users
    WHERE id = %(user_id)s AND password_changed_at = %(password_changed_at)s AND deleted_at IS NULL
        AND disabled_at IS NULL AND totp_secret IS NOT DISTINCT FROM %(totp_secret)s FOR SHARE
),
forgotten AS (
    DELETE FROM sessions USING owner WHERE user_id = owner.id AND expires_at < now()
),
session AS (
    INSERT INTO sessions (user_id, user_agent, second_factor, expires_at)
    SELECT id, %(user_agent)s, %(second_factor)s, now() + make_interval(secs => least(%(idle)s, %(max_age)s)) FROM owner
    RETURNING id, second_factor
),
first_token AS (
    INSERT INTO refresh_tokens (digest, session_id) SELECT %(digest)s, id FROM session
)
SELECT session.id, roles, second_factor,
    has_mail AND EXISTS (SELECT FROM sessions WHERE user_id = owner.id)
    AND NOT EXISTS (
        SELECT FROM sessions WHERE user_id = owner.id AND user_agent IS NOT DISTINCT FROM %(user_agent)s
    ) AS is_new_device
FROM session, owner
""")

# Of two requests with one code the second waits for the row lock of the first and then finds its step used. The user's
# row is locked first, as by every change of a second factor.
USE_STEP = Statement("""-- use_code_of_app
UPDATE users SET totp_step = %(step)s
WHERE id = %(user_id)s AND totp_secret = %(totp_secret)s AND totp_step < %(step)s RETURNING id
""")
USE_RECOVERY_CODE = Statement("""-- use_recovery_code
WITH owner AS (SELECT id FROM users WHERE id = %(user_id)s AND totp_secret = %(totp_secret)s FOR UPDATE)
DELETE FROM recovery_codes USING owner WHERE user_id = owner.id AND digest = %(digest)s RETURNING user_id
""")

REHASH = Statement("""-- upgrade_password_hash
UPDATE users SET password_hash = %(new)s WHERE id = %(user_id)s AND password_hash = %(old)s RETURNING id
""")

# The count of uses decides: of two requests with one token the second waits for the row lock of the first and then
# counts to two, in any process. The second gets the successor of the first if the same client sends it within the
# leeway and before it uses that successor, which replaces `spent_token`. Otherwise the session ends.
_GOES_ON = """
    id = session_id AND ended_at IS NULL AND expires_at > now()
    AND created_at > now() - make_interval(secs => %(max_age)s)
"""
REFRESH = Statement(f"""-- refresh_session
WITH presented AS (
    UPDATE refresh_tokens SET uses = uses + 1
    WHERE digest = %(presented)s AND session_id = coalesce(%(of_session)s, session_id)
    RETURNING session_id, uses
),
first_use AS (
    UPDATE sessions
    SET last_used_at = now(),
        expires_at = least(
            now() + make_interval(secs => %(idle)s), created_at + make_interval(secs => %(max_age)s)
        ),
        spent_token = %(presented)s, spent_by = %(client)s, successor_key = %(successor_key)s
    FROM presented WHERE uses = 1 AND {_GOES_ON}
    RETURNING id, user_id, ended_at, successor_key, second_factor
),
second_use AS (
    UPDATE sessions
    SET ended_at = CASE
        WHEN spent_token = %(presented)s AND spent_by = %(client)s
            AND last_used_at > now() - make_interval(secs => %(leeway)s) THEN NULL
        ELSE now()
    END
    FROM presented WHERE uses > 1 AND {_GOES_ON}
    RETURNING id, user_id, ended_at, successor_key, second_factor
),
next_token AS (
    INSERT INTO refresh_tokens (digest, session_id) SELECT %(next)s, id FROM first_use
),
forgotten AS (
    DELETE FROM refresh_tokens USING first_use
    WHERE session_id = first_use.id AND uses > 0 AND created_at < now() - make_interval(secs => %(idle)s)
)
SELECT session.id, user_id, username, roles, second_factor, session.ended_at, successor_key
FROM (SELECT * FROM first_use UNION ALL SELECT * FROM second_use) session JOIN users ON users.id = user_id
""")

# Of `users` and its session `live`. The password alone must not add a factor beside those that would have refused it.
MAY_ADD_FACTOR = """(live.second_factor OR totp_secret IS NULL AND (
    roles = '{}' OR NOT EXISTS (SELECT FROM passkeys WHERE passkeys.user_id = users.id)
))"""

_CALLER_IS_SIGNED_IN = """
    EXISTS (SELECT FROM sessions WHERE id = %(session_id)s AND user_id = %(user_id)s AND ended_at IS NULL)
"""

END_ONE = Statement(f"""-- end_session
WITH ended AS (
    UPDATE sessions SET ended_at = now()
    WHERE id = %(ending)s AND user_id = %(user_id)s AND ended_at IS NULL AND {_CALLER_IS_SIGNED_IN}
    RETURNING id
)
SELECT {_CALLER_IS_SIGNED_IN} AS signed_in, EXISTS (SELECT FROM ended) AS found
""")

END_OTHERS = Statement(f"""-- end_other_sessions
WITH ended AS (
    UPDATE sessions SET ended_at = now()
    WHERE id <> %(session_id)s AND user_id = %(user_id)s AND ended_at IS NULL AND {_CALLER_IS_SIGNED_IN}
)
SELECT {_CALLER_IS_SIGNED_IN} AS signed_in
""")

END = Statement("""-- sign_out
UPDATE sessions SET ended_at = now()
WHERE id = %(session_id)s AND user_id = %(user_id)s AND ended_at IS NULL RETURNING id
""")

END_ALL = Statement("""-- end_sessions_of_user
UPDATE sessions SET ended_at = now() WHERE user_id = %(user_id)s AND ended_at IS NULL
""")

# No token lives longer than a day. In batches, so that no transaction is long; refresh tokens go with their session.
FORGET_ENDED = Statement("""-- forget_ended_sessions_of_users
WITH forgotten AS (
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE least(ended_at, expires_at) < now() - interval '2 days'
        ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ) RETURNING id
)
SELECT count(*) AS count FROM forgotten
""")
