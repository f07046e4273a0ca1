"""Being signed in: sessions, the tokens that speak for them, and how they end."""
