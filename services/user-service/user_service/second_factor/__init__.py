"""The second factor of the caller's account: an authenticator app and recovery codes."""
