"""Choose a representation by the request's preferences (RFC 9110, 12.5). prometheus-client's and Litestar's own choices
do not follow it in weights of 0 and in precedence."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ordertrack.http.wire import names

MAX_PREFERENCES = 100
"""Preferences of a header that are read. Browsers send about ten."""
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
"""RFC 9110, 12.4.2."""


def prefers(media_type: str, other: str, accept: str) -> bool:
    """Tell whether `Accept` gives the media type more weight than the other one, or names it at an equal weight.

    False when neither is acceptable: the other one may be sent then (RFC 9110, 12.5.1).
    """
    weights = _weights(accept)
    weight, other_weight = _weight_of(media_type, weights), _weight_of(other, weights)
    return weight > other_weight or (weight == other_weight > 0 and media_type in weights)


def asks_for_page(accept: str) -> bool:
    """Tell whether `Accept` prefers HTML to JSON. At equal weights JSON must not be named: `*/*` is a program's."""
    return prefers(names.HTML, names.JSON, accept) and not prefers(names.JSON, names.HTML, accept)


def accepts_gzip(accept_encoding: str) -> bool:
    weights = _weights(accept_encoding)
    return weights.get(names.GZIP, weights.get("*", 0.0)) > 0


def preferred_language(accept_language: str, languages: Collection[str], default: str) -> str:
    """Return the first language that `Accept-Language` prefers. A range selects by its first subtag: de-CH gives de."""
    weights = _weights(accept_language)
    for language_range in sorted(weights, key=lambda one: -weights[one]):
        language = language_range.partition("-")[0]
        if weights[language_range] > 0 and language in languages:
            return language
    return default


def _weights(preferences: str) -> dict[str, float]:
    """Return the weight of each preference in lower case, the highest of a repeated one. Other parameters are ignored.
    A preference with a malformed weight is left out, and all after the first `MAX_PREFERENCES`."""
    weights: dict[str, float] = {}
    for element in preferences.lower().split(",", MAX_PREFERENCES)[:MAX_PREFERENCES]:
        preference, *parameters = (part.strip() for part in element.split(";"))
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            weights[preference] = max(float(weight), weights.get(preference, 0.0))
    return weights


def _weight_of(media_type: str, weights: Mapping[str, float]) -> float:
    """Return the weight of the most specific range that has the media type; 0 when none has."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[media_range] for media_range in ranges if media_range in weights), 0.0)
