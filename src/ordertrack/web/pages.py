"""The pages of the API's documentation, from the package's files: nothing is loaded from another host."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File, Redirect
from litestar.types import ControllerRouterHandler

_APIDOCS = Path(str(files(__package__).joinpath("static", "apidocs")))


def pages() -> Sequence[ControllerRouterHandler]:
    """Return the handlers. Files are listed once: a request is looked up in the list and never becomes a path."""
    known = {f"/{file.name.removesuffix('.gz')}": file for file in _APIDOCS.iterdir()}
    known["/"] = known["/index.html"]

    @get("/")
    async def index() -> Redirect:
        return Redirect("/apidocs/")

    @get(["/apidocs", "/apidocs/{name:path}"])
    async def apidocs(name: FromPath[str] = "/") -> File | Response[bytes]:
        if name not in known:
            raise NotFoundException
        if known[name].suffix == ".gz":  # kept small for installations of the client alone
            return Response(gzip.decompress(known[name].read_bytes()), media_type="text/javascript")
        return File(known[name], filename=known[name].name, content_disposition_type="inline")

    return [index, apidocs]
