"""Webhooks: tell other systems what happened to orders."""
