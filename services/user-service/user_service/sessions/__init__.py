"""Sessions, their tokens, and sign-out."""
