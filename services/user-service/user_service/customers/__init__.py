"""Customers, as staff see and change them."""
