"""The characters a text from outside may have, as parts of regular expressions: one alphabet for bodies and paths.

Control characters (Unicode category Cc: C0, DEL and C1) are refused. A terminal that prints one obeys it, and a line
break forges a line of a log.
"""

from __future__ import annotations

_CONTROL = r"\x00-\x1f\x7f-\x9f"
LINE = rf"[^{_CONTROL}]+"
"""One character or more, on one line."""
LINES = rf"(?:[^{_CONTROL}]|\r?\n)*"
"""Any number of characters, with line breaks: LF or CRLF. A CR alone would overwrite the line in a terminal."""
