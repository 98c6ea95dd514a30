"""The message for a part of ordertrack whose dependencies are not installed."""

from __future__ import annotations


def missing_extra(what: str, extra: str) -> str:
    """Return the message. It names no package index: ordertrack is installed from a clone."""
    return f"{what} needs the extra `{extra}`: install ordertrack with it (README, section Python client)."
