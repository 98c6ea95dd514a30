"""Allowed characters in texts of requests, as parts of regular expressions for bodies and paths.

Control characters (Unicode category Cc: C0, DEL and C1) are refused. Terminals execute them, and a line break forges a
line of a log.
"""

from __future__ import annotations

_CONTROL = r"\x00-\x1f\x7f-\x9f"
LINE = rf"[^{_CONTROL}]+"
"""One or more characters without line breaks."""
LINES = rf"(?:[^{_CONTROL}]|\r?\n)*"
"""Any number of characters, with line breaks: LF or CRLF. A lone CR overwrites the line in a terminal."""
