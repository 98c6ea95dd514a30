"""The HTTP/1.1 server: it holds ten thousand polls as bare descriptors, and serves every other request too.

`framing` turns bytes into requests and bodies, without I/O. `acceptor` takes new connections. `connection` is what is
kept of one, `timeouts` how long its peer may take. `gate` moves bytes between them and the application.
"""
