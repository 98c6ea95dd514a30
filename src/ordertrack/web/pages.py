"""Pages for people, from our own files: nothing is loaded from another host."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from litestar import get
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

_STATIC = Path(str(files(__package__).joinpath("static")))


def pages() -> Sequence[ControllerRouterHandler]:
    @get("/")
    async def index() -> Redirect:
        return Redirect("/apidocs/")

    apidocs = create_static_files_router(path="/apidocs", directories=[_STATIC / "apidocs"], html_mode=True)
    return [index, apidocs]
