"""The statements that switch the second factor on and off."""

from __future__ import annotations

from chassis.db.statement import Statement
from user_service.sessions.statements import MAY_ADD_FACTOR

STATE = """
SELECT totp_since AS since, totp_secret, totp_offered,
    (SELECT count(*) FROM recovery_codes WHERE user_id = users.id) AS recovery_codes_left
FROM users JOIN sessions live ON live.user_id = users.id
WHERE live.id = %(session_id)s AND users.id = %(user_id)s AND live.ended_at IS NULL
"""
OFFER = Statement(f"""-- offer_second_factor
UPDATE users SET totp_offered = %(secret)s FROM sessions live
WHERE users.id = %(user_id)s AND live.id = %(session_id)s AND live.user_id = users.id AND {MAY_ADD_FACTOR}
    AND password_changed_at = %(password_changed_at)s AND totp_secret IS NULL AND deleted_at IS NULL
RETURNING users.id
""")
SWITCH_ON = Statement(f"""-- switch_on_second_factor
UPDATE users SET totp_secret = totp_offered, totp_since = now(), totp_step = %(step)s, totp_offered = NULL
FROM sessions live
WHERE users.id = %(user_id)s AND live.id = %(session_id)s AND live.user_id = users.id AND {MAY_ADD_FACTOR}
    AND totp_offered = %(offered)s AND totp_secret IS NULL AND deleted_at IS NULL
RETURNING users.id
""")
PROVE_SESSION = Statement("""-- prove_session
UPDATE sessions SET second_factor = true WHERE id = %(session_id)s AND user_id = %(user_id)s
""")
SWITCH_OFF = Statement("""-- switch_off_second_factor
UPDATE users SET totp_secret = NULL, totp_since = NULL, totp_offered = NULL
WHERE id = %(user_id)s AND totp_secret IS NOT NULL RETURNING id
""")
# The next token of each session is one without the rights of staff, where these need a second factor.
UNPROVE_SESSIONS = Statement("""-- unprove_sessions
UPDATE sessions SET second_factor = false WHERE user_id = %(user_id)s AND second_factor
""")
FORGET_CODES = Statement("""-- forget_recovery_codes
DELETE FROM recovery_codes WHERE user_id = %(user_id)s
""")
STORE_CODES = Statement("""-- store_recovery_codes
INSERT INTO recovery_codes (user_id, digest)
SELECT %(user_id)s, digest FROM unnest(CAST(%(digests)s AS bytea[])) AS digest
""")
