"""Payments: hosted pages of a provider, its events, and what is refunded."""
