"""Bytes, headers and JSON to values and back: no framework, no I/O. JSON keys are the fields of structs."""
