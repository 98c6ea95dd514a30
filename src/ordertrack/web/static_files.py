"""Files of the SDK and of the order page, served from memory: read, compressed and hashed once, at the start.

A request is looked up by its path and never becomes a path of the file system.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.types import ControllerRouterHandler

KEPT_S = 300
"""Browsers ask again after this time, so that a page soon has the files of a new version."""
_PACKAGED = Path(str(files(__package__).joinpath("static")))
_IN_REPOSITORY = Path(__file__).parents[3] / "sdk" / "js" / "src"
SDK_FOLDER = packaged if (packaged := _PACKAGED / "sdk").is_dir() else _IN_REPOSITORY
"""The wheel has a copy of the SDK. In the repository it is at its own place."""
PAGES_FOLDER = _PACKAGED / "pages"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Files of other types are not served."""
_COMPRESSED = frozenset((".css", ".js", ".svg", ".webmanifest"))
_GZIP_LEVEL = 9
_SERVICE_WORKER = "service-worker.js"

_PUBLIC = f"public, max-age={KEPT_S}, must-revalidate"
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


class StaticContent(NamedTuple):
    """A file as it is, or compressed. `headers` include the `ETag` of these bytes."""

    body: bytes
    headers: dict[str, str]


class StaticFile(NamedTuple):
    plain: StaticContent
    compressed: StaticContent | None

    def content(self, *, accepts_gzip: bool) -> StaticContent:
        return self.compressed if accepts_gzip and self.compressed is not None else self.plain


def read_static_file(path: Path, cache_control: str, **more: str) -> StaticFile:
    """Return the file, compressed too if that makes it smaller."""
    body = path.read_bytes()
    headers = {"content-type": MEDIA_TYPES[path.suffix], "cache-control": cache_control, **more}
    if path.suffix not in _COMPRESSED:
        return StaticFile(_content(body, headers), None)
    headers["vary"] = "accept-encoding"
    compressed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
    smaller = _content(compressed, {**headers, "content-encoding": "gzip"}) if len(compressed) < len(body) else None
    return StaticFile(_content(body, headers), smaller)


def _content(body: bytes, headers: Mapping[str, str]) -> StaticContent:
    return StaticContent(body, {**headers, "etag": f'"{sha256(body).hexdigest()[:32]}"'})


def list_static_files() -> dict[str, StaticFile]:
    """Return all files by the path of their URL."""
    found = {f"/sdk/{name}": read_static_file(path, _PUBLIC) for name, path in _files(SDK_FOLDER)}
    for name, path in _files(PAGES_FOLDER):
        if name != _SERVICE_WORKER:
            found[f"/pages/{name}"] = read_static_file(path, _PUBLIC)
        else:  # its scope is the whole site; a browser asks for a new one at each start
            found[f"/{name}"] = read_static_file(path, "no-cache", **{"service-worker-allowed": "/"})
    return found


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in MEDIA_TYPES and path.is_file():
            yield path.relative_to(folder).as_posix(), path


def static_files(accepts_gzip: Callable[[str], bool]) -> Sequence[ControllerRouterHandler]:
    """Return the handlers. `accepts_gzip` reads an `Accept-Encoding`."""
    known = list_static_files()

    @get(["/sdk/{name:path}", "/pages/{name:path}", f"/{_SERVICE_WORKER}"])
    async def static_file(request: Request[Any, Any, Any]) -> Response[bytes]:
        file = known.get(request.scope["path"])
        if file is None:
            raise NotFoundException
        content = file.content(accepts_gzip=accepts_gzip(request.headers.get("accept-encoding", "")))
        if _names_tag(request.headers.get("if-none-match", ""), content.headers["etag"]):
            return Response(b"", status_code=304, headers=content.headers)
        return Response(content.body, headers=content.headers, media_type=content.headers["content-type"])

    return [static_file]


def _names_tag(if_none_match: str, etag: str) -> bool:
    """Compare weakly (RFC 9110, 13.1.2): a proxy that compresses makes a tag weak."""
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
