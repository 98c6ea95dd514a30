"""The SQL of this store."""

from __future__ import annotations

from ordertrack.adapters.shared.sql_files import read_statements

SQL = read_statements(__package__)
"""Every statement by its name in statements.sql."""
