"""All failpoints of the services, and the customer action that makes a process reach each."""

from __future__ import annotations

from enum import StrEnum


class Deed(StrEnum):
    PLACE = "placing an order"
    CANCEL = "cancelling one"
    REFRESH = "refreshing a token"
    ERASE = "deleting an account"
    ACCOUNT = "any other change of an account"


STATEMENTS = {
    "place_order": Deed.PLACE,
    "cancel_order": Deed.CANCEL,
    "refresh_session": Deed.REFRESH,
    # in user-service
    "erase_user": Deed.ERASE,
    "end_all_sessions": Deed.ERASE,
    # in order-service, which follows the session feed
    "remember_ended_sessions": Deed.ERASE,
    "forget_ended_sessions": Deed.ERASE,
    "note_erased_buyers": Deed.ERASE,
    "erase_orders": Deed.ERASE,
    "advance_session_feed": Deed.ERASE,
    "register_user": Deed.ACCOUNT,
    "open_session": Deed.ACCOUNT,
    "upgrade_password_hash": Deed.ACCOUNT,
    "sign_out": Deed.ACCOUNT,
    "end_session": Deed.ACCOUNT,
    "end_other_sessions": Deed.ACCOUNT,
    "change_profile": Deed.ACCOUNT,
    "set_password": Deed.ACCOUNT,
    "end_sessions_of_old_password": Deed.ACCOUNT,
}
TRANSACTIONS = {
    "delete_account": Deed.ERASE,
    "learn_endings": Deed.ERASE,
    "erase_late_orders": Deed.ERASE,
    "change_password": Deed.ACCOUNT,
}
POINTS = {f"{name}.{moment}": deed for name, deed in STATEMENTS.items() for moment in ("before", "after")}
POINTS |= {f"{name}.committed": deed for name, deed in TRANSACTIONS.items()}


def of(*deeds: Deed) -> list[str]:
    return [point for point, deed in POINTS.items() if deed in deeds]
