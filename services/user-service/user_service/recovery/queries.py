"""Read what notices tell, and to whom."""

from __future__ import annotations

# An address that nobody has confirmed may be another person's: it gets no notices.
OF_NEW_PASSWORD = """
SELECT users.id AS user_id, username, email, email_key, email_refused_at, password_changed_at AS at
FROM users WHERE id = %(user_id)s AND email_verified_at IS NOT NULL
"""
OF_NEW_DEVICE = """
SELECT user_id, username, email, email_key, email_refused_at, user_agent, sessions.created_at AS at
FROM sessions JOIN users ON users.id = user_id
WHERE sessions.id = %(session_id)s AND email_verified_at IS NOT NULL
"""
OF_OLD_ADDRESS = """
SELECT user_id, username, new_email, mail_addresses.email, mail_addresses.email_key, email_refused_at
FROM mail_addresses JOIN users ON users.id = user_id WHERE mail_addresses.id = %(address_id)s
"""
