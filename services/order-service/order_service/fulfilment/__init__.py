"""What staff do with orders: find, ship, track, deliver, cancel, export."""
