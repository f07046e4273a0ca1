"""Accounts: usernames, passwords, registration."""
