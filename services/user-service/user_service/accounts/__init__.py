"""Who can sign in: usernames, passwords, registration."""
