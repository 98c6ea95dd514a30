"""The principal from the claims of a verified token. Every claim that is used is checked for type and size; others are
ignored, since every issuer adds its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ordertrack.core.cursor import MAX_INT64
from ordertrack.core.errors import Unauthenticated
from ordertrack.core.principal import ALL, Principal, Role

MAX_RESTAURANTS = 1_000
MAX_TIME_S = 253_402_300_799
"""The end of the year 9999."""
EVERY_RESTAURANT = "*"
TOKEN_ROLES = (Role.CUSTOMER, Role.RESTAURANT, Role.COURIER, Role.SERVICE, Role.ADMIN)
"""The roles that a token may have."""
_ID = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_ROLES = {role.value: role for role in TOKEN_ROLES}


class ClaimNames(NamedTuple):
    role: str = "role"
    name: str = "sub"
    customer: str = "customer_id"
    restaurant: str = "restaurant_id"
    courier: str = "courier_id"
    restaurants: str = "restaurants"


class Rules(NamedTuple):
    """Requirements of a token besides its signature. Empty `audience` and `issuer` are not checked."""

    audience: str = ""
    issuer: str = ""
    leeway_s: int = 30
    names: ClaimNames = ClaimNames()


def principal_of(claims: Mapping[str, Any], rules: Rules, now_s: float) -> Principal:
    """Return the principal of a token.

    Raises: Unauthenticated, with `expired` only when nothing else is wrong.
    """
    expires_at_s = math.floor(_time_s(claims, "exp")) + rules.leeway_s
    if "nbf" in claims and now_s < _time_s(claims, "nbf") - rules.leeway_s:
        raise Unauthenticated("invalid")
    if rules.issuer and claims.get("iss") != rules.issuer:
        raise Unauthenticated("invalid")
    if rules.audience and not _has_audience(rules.audience, claims.get("aud")):
        raise Unauthenticated("invalid")
    principal = _principal(claims, rules.names, expires_at_s)
    if now_s >= expires_at_s:
        raise Unauthenticated("expired")
    return principal


def claims_of(principal: Principal, rules: Rules, issued_at_s: int, expires_at_s: int) -> dict[str, Any]:
    """Return the claims from which `principal_of` makes this principal, under the same rules."""
    names = rules.names
    claims: dict[str, Any] = {
        names.role: principal.role.value,
        names.name: principal.name,
        names.customer: principal.customer_id,
        names.restaurant: principal.restaurant_id,
        names.courier: principal.courier_id,
        names.restaurants: EVERY_RESTAURANT if principal.restaurants == ALL else sorted(principal.restaurants),
        "aud": rules.audience,
        "iss": rules.issuer,
        "iat": issued_at_s,
        "exp": expires_at_s,
    }
    return {name: value for name, value in claims.items() if value}


def _principal(claims: Mapping[str, Any], names: ClaimNames, expires_at_s: int) -> Principal:
    value = claims.get(names.role)
    role = _ROLES.get(value) if isinstance(value, str) else None
    if role is None:
        raise Unauthenticated("invalid")
    customer_id = _id(claims.get(names.customer)) if role is Role.CUSTOMER else None
    restaurant_id = _id(claims.get(names.restaurant)) if role is Role.RESTAURANT else None
    courier_id = _id(claims.get(names.courier)) if role is Role.COURIER else None
    return Principal(
        role,
        name=_id(claims.get(names.name, customer_id or restaurant_id or courier_id or role.value)),
        customer_id=customer_id,
        restaurant_id=restaurant_id,
        courier_id=courier_id,
        restaurants=_restaurants(claims.get(names.restaurants)) if role is Role.SERVICE else frozenset(),
        expires_at_s=expires_at_s,
    )


def _id(value: object) -> str:
    """Return an id as in bodies: 1 to 64 characters without control characters; an integer becomes a string."""
    if type(value) is int and -MAX_INT64 <= value <= MAX_INT64:
        return str(value)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise Unauthenticated("invalid")
    return value


def _restaurants(value: object) -> frozenset[str]:
    if value == EVERY_RESTAURANT:
        return ALL
    if not isinstance(value, list) or not 0 < len(value) <= MAX_RESTAURANTS or EVERY_RESTAURANT in value:
        raise Unauthenticated("invalid")
    return frozenset(map(_id, value))


def _time_s(claims: Mapping[str, Any], name: str) -> float:
    """RFC 7519, 2: a NumericDate, seconds since 1970, may have a fraction."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MAX_TIME_S:
        raise Unauthenticated("invalid")
    return value


def _has_audience(audience: str, claim: object) -> bool:
    """RFC 7519, 4.1.3: one audience as a string, or several as a list."""
    return claim == audience or (isinstance(claim, list) and audience in claim)
