"""Registration, sign-in, profiles and signed tokens."""
