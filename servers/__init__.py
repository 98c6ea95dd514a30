"""Real servers as child processes, on free ports of 127.0.0.1 with their data in a folder of the caller: PostgreSQL,
Redis, PgBouncer. Tests, benchmarks and `make cluster` use them. Nothing here is part of the installed package."""
