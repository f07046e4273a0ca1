"""Passkeys: sign in without username and password."""
