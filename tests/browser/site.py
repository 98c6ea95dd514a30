"""The site of a shop: pages of another origin and another host name than the server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STOP_S = 60.0
_HEAD = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>A shop</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head><body><main>"""


class Site:
    def __init__(self) -> None:
        self._pages: dict[str, tuple[bytes, str]] = {}
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body, policy = pages.get(self.path, (b"", ""))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if policy:
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.origin = f"http://localhost:{self._server.server_port}"

    def add(self, body: str, *, policy: str = "", language: str = "en") -> str:
        """Return the URL of a new page, with a content security policy or without."""
        path = f"/{len(self._pages)}"
        self._pages[path] = (f"{_HEAD.format(language=language)}<h1>A shop</h1>{body}".encode(), policy)
        return self.origin + path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(STOP_S)
