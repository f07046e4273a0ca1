"""Attacks on both apps and on real servers."""
