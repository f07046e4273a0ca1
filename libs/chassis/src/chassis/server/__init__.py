"""The server process: start, health, shutdown."""
