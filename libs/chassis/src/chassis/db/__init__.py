"""PostgreSQL: connections, statements, batching, migrations."""
