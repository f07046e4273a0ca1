"""Shipping, tax and totals: what an order costs."""
