"""What signed-in people see and decide about their own account."""
