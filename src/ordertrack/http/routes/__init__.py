"""Litestar handlers by noun, with their descriptions. A handler parses a request, calls a use case, returns a view."""
