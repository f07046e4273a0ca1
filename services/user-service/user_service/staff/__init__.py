"""Who belongs to the staff; changed by commands on the machine alone."""
