"""What staff changed."""
