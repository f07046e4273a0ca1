"""The statements that add, use, rename and remove passkeys."""

from __future__ import annotations

from chassis.db.statement import Statement
from user_service.sessions.statements import MAY_ADD_FACTOR

# As in open_session, the row of the user is locked first: no passkey is added to an account that is being deleted.
LOCK_OWNER = f"""
SELECT users.id, users.username, {MAY_ADD_FACTOR} AS may_add_factor
FROM users JOIN sessions live ON live.user_id = users.id
WHERE users.id = %(user_id)s AND live.id = %(session_id)s AND live.ended_at IS NULL AND users.deleted_at IS NULL
FOR UPDATE OF users
"""

# A second use waits for the first one's transaction, and then finds the challenge used. Expired rows that another
# transaction deletes are left to it.
USE_CHALLENGE = Statement("""-- use_challenge
WITH expired AS (
    DELETE FROM used_challenges
    WHERE digest IN (SELECT digest FROM used_challenges WHERE expires_at < now() FOR UPDATE SKIP LOCKED)
)
INSERT INTO used_challenges (digest, expires_at) VALUES (%(digest)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT DO NOTHING RETURNING digest
""")

ADD = Statement("""-- store_passkey
INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name)
SELECT %(credential_id)s, %(user_id)s, %(public_key)s, %(sign_count)s, %(name)s
WHERE (SELECT count(*) FROM passkeys WHERE user_id = %(user_id)s) < %(most)s
RETURNING credential_id
""")

FIND_WITH_OWNER = """
SELECT public_key, users.id, username, password_changed_at, disabled_at, totp_secret
FROM passkeys JOIN users ON users.id = passkeys.user_id
WHERE credential_id = %(credential_id)s
"""

# Of two answers at once the second one finds the count of the first.
USE = Statement("""-- use_passkey
UPDATE passkeys SET sign_count = %(sign_count)s, last_used_at = now()
WHERE credential_id = %(credential_id)s RETURNING old.sign_count AS before
""")

RENAME = Statement("""-- rename_passkey
UPDATE passkeys SET name = %(name)s
WHERE credential_id = %(credential_id)s AND user_id = %(user_id)s RETURNING credential_id
""")

REMOVE = Statement("""-- remove_passkey
DELETE FROM passkeys WHERE credential_id = %(credential_id)s AND user_id = %(user_id)s RETURNING credential_id
""")
