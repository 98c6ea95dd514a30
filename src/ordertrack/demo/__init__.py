"""A sample city and a lunch hour in it, played through the public API with the Python client.

`ordertrack demo` plays it on a server of its own, `make cluster` on several nodes.
"""
