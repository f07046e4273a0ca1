"""Confirm email addresses by mail, and get back an account whose password is forgotten."""
