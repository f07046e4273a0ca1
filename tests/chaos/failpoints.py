"""All failpoints of the services, with the customer action that reaches each."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum


class Deed(StrEnum):
    PLACE = "placing an order"
    CANCEL = "cancelling one"
    REFRESH = "refreshing a token"
    ERASE = "deleting an account"
    SECOND_FACTOR = "using or changing a second factor"
    CATALOGUE = "changing the catalogue as staff"
    STAFF = "changing a customer's account as staff"
    ORDERS = "shipping, changing and refunding orders as staff"
    TERMS = "changing shipping methods and tax rates as staff"
    PASSKEY = "adding, using, renaming or removing a passkey"
    ACCOUNT = "any other change of an account"
    WEBHOOK = "setting up a webhook"
    DELIVER = "delivering events to webhooks, by the worker"
    PAY = "paying, expiring and refunding, by service and worker"


ALONE = {
    "place_order": Deed.PLACE,
    "cancel_order": Deed.CANCEL,
    "create_product": Deed.CATALOGUE,
    "adjust_stock": Deed.CATALOGUE,
    "ship_order": Deed.ORDERS,
    "track_order": Deed.ORDERS,
    "deliver_order": Deed.ORDERS,
    "change_contact": Deed.ORDERS,
    "put_shipping_method": Deed.TERMS,
    "delete_shipping_method": Deed.TERMS,
    "put_tax_rate": Deed.TERMS,
    "delete_tax_rate": Deed.TERMS,
    "refresh_session": Deed.REFRESH,
    "offer_second_factor": Deed.SECOND_FACTOR,
    "upgrade_password_hash": Deed.ACCOUNT,
    "sign_out": Deed.ACCOUNT,
    "end_session": Deed.ACCOUNT,
    "end_other_sessions": Deed.ACCOUNT,
    "change_profile": Deed.ACCOUNT,
    "confirm_email": Deed.ACCOUNT,
    "rename_passkey": Deed.PASSKEY,
    "remove_passkey": Deed.PASSKEY,
    "create_webhook": Deed.WEBHOOK,
    "change_webhook": Deed.WEBHOOK,
    "rotate_webhook_secret": Deed.WEBHOOK,
    "replay_delivery": Deed.WEBHOOK,
    "claim_delivery": Deed.DELIVER,
    "record_delivery": Deed.DELIVER,
    "forget_deliveries": Deed.DELIVER,
    "forget_deliveries_of_webhook": Deed.DELIVER,
    "place_priced_order": Deed.PAY,
    "store_payment_page": Deed.PAY,
    "claim_payment_to_ask": Deed.PAY,
    "cancel_order_by_staff": Deed.PAY,
    "expire_order": Deed.PAY,
}
"""Statements that are a transaction of their own."""

TOGETHER = {
    "delete_account": [
        "erase_user",
        "erase_mail_tokens",
        "erase_mail_addresses",
        "erase_passkeys",
        "erase_recovery_codes",
        "end_all_sessions",
    ],
    "register": ["register_user"],
    "sign_in": ["open_session"],
    "change_password": ["set_password", "drop_reset_tokens", "end_sessions_of_old_password"],
    "change_email": ["note_old_address"],  # after change_profile
    "ask_to_confirm": [],  # defers a job alone
    "forget_password": ["note_forgotten_password"],
    "reset_password": ["reset_password", "drop_mail_tokens", "drop_passkeys_after_reset"],
    "add_passkey": ["use_challenge", "store_passkey"],
    "sign_in_with_second_factor": ["use_code_of_app"],  # before open_session, which ACCOUNT reaches
    "switch_on_second_factor": [
        "switch_on_second_factor",
        "prove_session",
        "forget_recovery_codes",
        "store_recovery_codes",
    ],
    "renew_recovery_codes": ["use_recovery_code", "forget_recovery_codes", "store_recovery_codes"],
    "switch_off_second_factor": [
        "use_recovery_code",
        "switch_off_second_factor",
        "forget_recovery_codes",
        "unprove_sessions",
    ],
    "disable_account": ["disable_account", "end_sessions_of_user"],
    "enable_account": ["enable_account"],
    "send_reset_mail": [],  # defers a job and notes it
    "end_session_of_customer": ["end_session_of_customer"],
    "end_sessions_of_customer": ["end_sessions_of_user"],
    "reset_second_factor_of_customer": [
        "switch_off_second_factor",
        "forget_recovery_codes",
        "unprove_sessions",
        "end_sessions_of_user",
    ],
    "sign_in_with_passkey": ["use_challenge", "use_passkey"],  # after open_session, which ACCOUNT reaches
    # in order-service, by the session feed
    "learn_endings": [
        "remember_ended_sessions",
        "forget_ended_sessions",
        "note_erased_buyers",
        "erase_orders",
        "erase_audit_entries_of_orders",
        "erase_payments",
        "erase_refunds",
        "advance_session_feed",
    ],
    "erase_late_orders": ["erase_orders"],
    "delete_webhook": ["delete_webhook"],
    "make_deliveries": ["follow_events"],
    "change_product": ["change_product", "index_product"],
    "open_payment": ["open_payment"],
    "receive_payment_event": [
        "store_payment_event",
        "accept_payment",
        "return_payment",
        "fail_payment",
        "note_outcome_of_payment_event",
    ],
    "apply_payment_state": ["expire_payment"],  # and those of receive_payment_event
    "finish_refund": ["finish_refund"],
    "request_refund": ["request_refund"],
    "retry_refund": ["retry_refund"],
    "replace_terms": ["clear_shipping_methods", "add_shipping_method", "clear_tax_rates", "add_tax_rate"],
    "import_catalog": [],  # its statements have no names: importer.py is also a command
}
"""Transactions of several statements."""

_DEEDS = {
    **dict.fromkeys(["register", "sign_in", "change_password", "change_email"], Deed.ACCOUNT),
    **dict.fromkeys(["ask_to_confirm", "forget_password", "reset_password"], Deed.ACCOUNT),
    "add_passkey": Deed.PASSKEY,
    "sign_in_with_passkey": Deed.PASSKEY,
    "sign_in_with_second_factor": Deed.SECOND_FACTOR,
    "switch_on_second_factor": Deed.SECOND_FACTOR,
    "renew_recovery_codes": Deed.SECOND_FACTOR,
    "switch_off_second_factor": Deed.SECOND_FACTOR,
    "change_product": Deed.CATALOGUE,
    "import_catalog": Deed.CATALOGUE,
    "replace_terms": Deed.TERMS,
    **dict.fromkeys(["request_refund", "retry_refund"], Deed.ORDERS),
    "disable_account": Deed.STAFF,
    "enable_account": Deed.STAFF,
    "send_reset_mail": Deed.STAFF,
    "end_session_of_customer": Deed.STAFF,
    "end_sessions_of_customer": Deed.STAFF,
    "reset_second_factor_of_customer": Deed.STAFF,
    "delete_webhook": Deed.WEBHOOK,
    "make_deliveries": Deed.DELIVER,
    **dict.fromkeys(["open_payment", "receive_payment_event", "apply_payment_state", "finish_refund"], Deed.PAY),
}
"""The actions of transactions; that of the others is ERASE."""


def _points() -> Iterator[tuple[str, Deed]]:
    """Yield each failpoint and its action. Within a transaction only the first statement has a `before`."""
    for name, deed in ALONE.items():
        yield from ((f"{name}.before", deed), (f"{name}.after", deed))
    for transaction, statements in TOGETHER.items():
        deed = _DEEDS.get(transaction, Deed.ERASE)
        yield from ((f"{statement}.before", deed) for statement in statements[:1])
        yield from ((f"{statement}.after", deed) for statement in statements)
        yield f"{transaction}.committed", deed


POINTS = dict(_points())
STATEMENTS = {point.partition(".")[0] for point in POINTS if not point.endswith(".committed")}
AFTER_A_RESTORE = {"restart_session_feed"}
"""Statements that run after a database was restored alone; no action of a customer reaches them."""
IN_JOBS = {
    "forget_ended_sessions_of_users",
    "issue_mail_token",
    "take_forgotten_password",
    "note_refused_address",
    "drop_mail_address",
    "drop_expired_mail_tokens",
    "drop_old_mail_addresses",
    "begin_mails",
    "follow_events_for_mails",
    "note_refusal_of_order_mail",
    "forget_payment_events",
}
"""Statements of background jobs, which run again after a crash."""
JOBS_TOGETHER = {"find_forgotten", "queue_mails"}
"""Transactions of background jobs."""
READING = {"price_refund"}
"""Transactions that write nothing."""
OF_THE_TEST_PROVIDER = {"open_test_page", "end_test_page", "refund_test_page"}
"""Statements, and the first a transaction too, of PAYMENT_PROVIDER=test: what they keep is no money."""


def of(*deeds: Deed) -> list[str]:
    return [point for point, deed in POINTS.items() if deed in deeds]
