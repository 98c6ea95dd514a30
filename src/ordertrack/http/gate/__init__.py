"""The gate: the HTTP/1.1 server. `gate.py` explains it."""
