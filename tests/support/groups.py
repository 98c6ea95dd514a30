"""The share of each process in a parallel run: the tests that use the same server stay together."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

_SERVER = re.compile(r"\[(gate|asgi|nginx|haproxy|apache|caddy|varnish)\b")
"""In a test's name: the parameter of the fixture that starts one server or proxy for all tests of a folder."""


class Groups(LoadScopeScheduling):
    """Gives out groups of tests, in the order of the tests. (`xdist_group` marks do nothing under pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        """Return the group of a test."""
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        if folder.endswith("process"):
            return nodeid  # it has servers of its own
        server = _SERVER.search(nodeid)
        return f"{folder}/{server[1]}" if server else file
