"""Run the whole shop on one machine."""
