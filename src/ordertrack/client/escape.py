"""Escaping of untrusted text for output: control characters can drive a terminal, a line break can forge a line."""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (C0, DEL, C1), line separators, characters that change the direction of text (CVE-2021-42574),
and surrogates, which no encoding can write."""


def escape(text: str) -> str:
    r"""Return the text on one line, with `\x1b` written for an ESC, and so on."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
