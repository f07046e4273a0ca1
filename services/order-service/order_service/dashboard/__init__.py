"""What the staff look after today."""
