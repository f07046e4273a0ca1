"""Limit attempts by account and address."""
