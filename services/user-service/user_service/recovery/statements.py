"""The statements that issue and use the tokens of mails.

All lock the row of the user before its tokens, as the statements of other slices do.
"""

from __future__ import annotations

from chassis.db.statement import Statement

# FOR SHARE waits for a concurrent erasure: no token is left behind by it. A repeated job replaces the token.
ISSUE = Statement("""-- issue_mail_token
WITH addressee AS (
    SELECT id, username, email_refused_at,
        CASE %(purpose)s WHEN 'confirm_email' THEN coalesce(new_email, email) ELSE email END AS email,
        CASE %(purpose)s WHEN 'confirm_email' THEN coalesce(new_email_key, email_key) ELSE email_key END AS email_key
    FROM users
    WHERE id = %(user_id)s AND email IS NOT NULL AND CASE %(purpose)s
        WHEN 'confirm_email' THEN new_email IS NOT NULL OR email_verified_at IS NULL
        ELSE disabled_at IS NULL
    END
    FOR SHARE
),
issued AS (
    INSERT INTO mail_tokens (digest, user_id, purpose, email_key, expires_at)
    SELECT %(digest)s, id, %(purpose)s, email_key, now() + make_interval(secs => %(seconds)s) FROM addressee
    ON CONFLICT ON CONSTRAINT mail_tokens_one_for_each_purpose DO UPDATE
    SET digest = excluded.digest, email_key = excluded.email_key, expires_at = excluded.expires_at
)
SELECT id AS user_id, username, email, email_key, email_refused_at FROM addressee
""")

# Of two requests with one token the second waits for the user's row, and then finds the token used.
_OWNER = """
    SELECT users.id FROM users JOIN mail_tokens ON user_id = users.id
    WHERE digest = %(digest)s AND purpose = %(purpose)s AND expires_at > now() FOR UPDATE OF users
"""

CONFIRM = Statement(f"""-- confirm_email
WITH owner AS ({_OWNER}),
used AS (
    DELETE FROM mail_tokens USING owner WHERE digest = %(digest)s AND user_id = owner.id
    RETURNING user_id, mail_tokens.email_key
)
UPDATE users
SET email = coalesce(new_email, email), email_key = coalesce(new_email_key, users.email_key),
    email_verified_at = now(), email_refused_at = NULL, new_email = NULL, new_email_key = NULL
FROM used WHERE users.id = used.user_id AND coalesce(new_email_key, users.email_key) = used.email_key
RETURNING users.id
""")

OF_RESET = """
SELECT username, email FROM users JOIN mail_tokens ON user_id = users.id
WHERE digest = %(digest)s AND purpose = %(purpose)s AND expires_at > now()
"""

# Whoever resets the password reads the mails of the address, which confirms it. A change of address that is waiting may
# have been asked for by the one who knew the old password.
RESET = Statement(f"""-- reset_password
WITH owner AS ({_OWNER}),
used AS (
    DELETE FROM mail_tokens USING owner WHERE digest = %(digest)s AND user_id = owner.id
    RETURNING user_id, mail_tokens.email_key
)
UPDATE users
SET password_hash = %(password_hash)s, password_changed_at = clock_timestamp(),
    email_verified_at = coalesce(email_verified_at, now()), email_refused_at = NULL,
    new_email = NULL, new_email_key = NULL
FROM used WHERE users.id = used.user_id AND users.email_key = used.email_key AND disabled_at IS NULL
RETURNING users.id
""")
DROP_TOKENS = Statement("""-- drop_mail_tokens
DELETE FROM mail_tokens WHERE user_id = %(user_id)s
""")
# Whoever opened the account with somebody else's address may have added them. Those of staff are a second factor,
# which reading a mail must not remove.
DROP_PASSKEYS = Statement("""-- drop_passkeys_after_reset
DELETE FROM passkeys USING users WHERE user_id = users.id AND users.id = %(user_id)s AND roles = '{}'
""")

# The same statement for every address; whether an account has it is looked up in the background.
NOTE_FORGOTTEN = Statement("""-- note_forgotten_password
INSERT INTO mail_addresses (email, email_key) VALUES (%(email)s, %(email_key)s) RETURNING id
""")
# The account that has proved the address; else those that only name it, the oldest first.
TAKE_FORGOTTEN = Statement("""-- take_forgotten_password
WITH asked AS (
    DELETE FROM mail_addresses WHERE id = %(address_id)s RETURNING email_key
),
found AS (
    SELECT id, email_verified_at IS NOT NULL AS is_verified FROM users JOIN asked USING (email_key)
)
SELECT id FROM found WHERE is_verified OR NOT EXISTS (SELECT FROM found WHERE is_verified)
ORDER BY id LIMIT %(most)s
""")

DROP_ADDRESS = Statement("""-- drop_mail_address
DELETE FROM mail_addresses WHERE id = %(address_id)s RETURNING id
""")

DROP_EXPIRED_TOKENS = Statement("""-- drop_expired_mail_tokens
DELETE FROM mail_tokens WHERE expires_at < now() RETURNING user_id
""")
DROP_OLD_ADDRESSES = Statement("""-- drop_old_mail_addresses
DELETE FROM mail_addresses WHERE created_at < now() - interval '2 days' RETURNING id
""")

UNCONFIRMED = """
SELECT CASE WHEN new_email IS NOT NULL THEN new_email WHEN email_verified_at IS NULL THEN email END AS email
FROM users JOIN sessions live ON live.user_id = users.id
WHERE users.id = %(user_id)s AND live.id = %(session_id)s AND live.ended_at IS NULL
"""

NOTE_REFUSAL = Statement("""-- note_refused_address
UPDATE users SET email_refused_at = CASE WHEN %(refused)s THEN now() END
WHERE id = %(user_id)s AND %(email_key)s IN (email_key, new_email_key) RETURNING id
""")
