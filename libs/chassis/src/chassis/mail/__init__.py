"""Mail: write messages from templates, send them by SMTP or into a folder."""

from __future__ import annotations

from chassis.mail.message import Mail, Refused, Unavailable
from chassis.mail.sending import send

__all__ = ["Mail", "Refused", "Unavailable", "send"]
