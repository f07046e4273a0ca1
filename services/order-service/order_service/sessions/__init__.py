"""Which sessions user-service has ended, and whose personal data is to be erased."""
