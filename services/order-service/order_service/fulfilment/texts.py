"""What the back office calls the states of orders, payments and refunds, and what staff changed."""

from __future__ import annotations

STATUSES = {"placed": "Placed", "shipped": "Shipped", "delivered": "Delivered", "cancelled": "Cancelled"}
PAYMENTS = {
    "not_required": "No payment",
    "pending": "Unpaid",
    "failed": "Payment failed",
    "paid": "Paid",
    "partially_refunded": "Partly refunded",
    "refunded": "Refunded",
}
PAGES = {"opening": "Opening", "open": "Open", "paid": "Paid", "failed": "Failed", "expired": "Expired"}
"""The states of a payment page."""
REFUNDS = {"pending": "Under way", "done": "Done", "failed": "Failed"}
REASONS = {
    "requested": "By staff",
    "cancelled": "Order cancelled",
    "late": "Paid too late",
    "duplicate": "Paid twice",
    "mismatch": "Another amount was paid",
}
CHANGES = {
    "order.ship": "Order shipped",
    "order.track": "Tracking changed",
    "order.deliver": "Order delivered",
    "order.cancel": "Order cancelled",
    "order.change": "Address or email changed",
    "order.refund": "Refund requested",
    "order.retry_refund": "Refund tried again",
}
"""The actions of audit entries about orders."""
