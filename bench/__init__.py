"""Measurements: `make bench`. Every figure in the documents comes from a command here."""
