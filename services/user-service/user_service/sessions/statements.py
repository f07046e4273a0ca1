"""The atomic statements that open, continue and end sessions."""

from __future__ import annotations

from chassis.db.statement import Statement

FIND_USER = """
SELECT id, username, password_hash, password_changed_at FROM users WHERE username_digest = %(digest)s
"""

# FOR SHARE reads the newest row after waiting for a password change or a deletion: no session may
# open with the old password after that change has ended all sessions.
OPEN = Statement("""-- open_session
WITH owner AS (
    SELECT id FROM users WHERE id = %(user_id)s AND password_changed_at = %(password_changed_at)s FOR SHARE
),
forgotten AS (
    DELETE FROM sessions USING owner WHERE user_id = owner.id AND expires_at < now()
),
session AS (
    INSERT INTO sessions (user_id, user_agent, expires_at)
    SELECT id, %(user_agent)s, now() + make_interval(secs => %(lifetime)s) FROM owner
    RETURNING id
),
first_token AS (
    INSERT INTO refresh_tokens (digest, session_id) SELECT %(digest)s, id FROM session
)
SELECT id FROM session
""")

REHASH = Statement("""-- upgrade_password_hash
UPDATE users SET password_hash = %(new)s WHERE id = %(user_id)s AND password_hash = %(old)s RETURNING id
""")

# The count of uses decides: of two requests with one token the second waits for the row lock of the
# first and then counts to two, in any process.
REFRESH = Statement("""-- refresh_session
WITH presented AS (
    UPDATE refresh_tokens SET uses = uses + 1 WHERE digest = %(presented)s RETURNING session_id, uses
),
session AS (
    UPDATE sessions
    SET last_used_at = now(), expires_at = now() + make_interval(secs => %(lifetime)s),
        ended_at = CASE WHEN uses > 1 THEN now() END
    FROM presented
    WHERE id = session_id AND ended_at IS NULL AND expires_at > now()
    RETURNING id, user_id, ended_at
),
next_token AS (
    INSERT INTO refresh_tokens (digest, session_id) SELECT %(next)s, id FROM session WHERE ended_at IS NULL
),
forgotten AS (
    DELETE FROM refresh_tokens USING session
    WHERE session_id = session.id AND uses > 0 AND created_at < now() - make_interval(secs => %(lifetime)s)
)
SELECT session.id, user_id, username, session.ended_at FROM session JOIN users ON users.id = user_id
""")

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
