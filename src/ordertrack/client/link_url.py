"""The URLs of tracking links. Their token is a secret, so it is kept out of logs and messages."""

from __future__ import annotations

import logging
import re

import httpx

from ordertrack.client.server_url import server_url

PAGES = "/t/"
_TOKEN = re.compile(r"otl_[A-Za-z0-9_-]{1,256}")


def split_link(link: str) -> tuple[str, str]:
    """Return the server's URL and the token of a tracking link; of a token alone, an empty URL and the token.

    Raises: ValueError, whose message completes "The link ..." and never has the token.
    """
    if "/" not in link:
        server, token = "", link
    else:
        page = re.split(r"[?#]", link, maxsplit=1)[0].rstrip("/")
        server, found, token = page.removesuffix("/track").rpartition(PAGES)
        if not found:
            raise ValueError(f"has no {PAGES} before its token")
        server_url(server)
    if not _TOKEN.fullmatch(token):
        raise ValueError("has no token, which begins with otl_")
    return server, token


def link_path(link: str) -> str:
    """Return the path of a token, or the complete URL of a link, which the client compares with its own server.

    Raises: ValueError.
    """
    try:
        server, token = split_link(link)
    except ValueError as error:
        raise ValueError(f"The link {error}") from None
    return f"{server}{PAGES}{token}"


def is_link(path: str) -> bool:
    """Return True for a result of `link_path`."""
    return path.startswith(PAGES) or not path.startswith("/")


def check_server(base_url: httpx.URL, path: str) -> None:
    """Refuse to send a request to another server than that of the client.

    Raises: ValueError.
    """
    if path.startswith("/"):
        return
    url = httpx.URL(path)
    if (url.scheme, url.host, url.port) != (base_url.scheme, base_url.host, base_url.port):
        raise ValueError(f"The link is of another server than {str(base_url).rstrip('/')}")


class _HiddenTokens(logging.Filter):
    """Hides the tokens of links: httpx logs the URL of every request."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_without_token, record.args))
        return True


def _without_token(value: object) -> object:
    return _TOKEN.sub("otl_***", str(value)) if isinstance(value, httpx.URL) else value


def hide_tokens_in_log() -> None:
    """Hide tokens in what httpx logs. Calling it again changes nothing."""
    log = logging.getLogger("httpx")
    if not any(isinstance(each, _HiddenTokens) for each in log.filters):
        log.addFilter(_HiddenTokens())
