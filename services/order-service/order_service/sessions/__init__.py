"""Ended sessions and deleted accounts, received from user-service."""
