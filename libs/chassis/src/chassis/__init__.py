"""Code that both services share: settings, HTTP, tokens, database, telemetry, server."""
