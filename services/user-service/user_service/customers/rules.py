"""Problems of changes to a customer's account."""

from __future__ import annotations

from chassis.problems import Conflict


class IsStaff(Conflict):
    code, error = "is_staff", "this account belongs to the staff: the command `user-service staff` changes it"


class NoAddress(Conflict):
    code, error = "no_email_address", "this account has no email address to send a mail to"


class IsDisabled(Conflict):
    code, error = "is_disabled", "this account is disabled: enable it first"
