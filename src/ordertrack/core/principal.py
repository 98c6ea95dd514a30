"""Who is asking: a role, and the ids that say whose orders are its own. `core/access.py` says what each may do."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import msgspec


class Role(StrEnum):
    """`link` holds a tracking link; `anyone` is everybody at a server without access control. No token names these."""

    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"
    SERVICE = "service"
    ADMIN = "admin"
    LINK = "link"
    ANYONE = "anyone"


ALL = frozenset({"*"})
"""The restaurants of a service that works for every one."""


class Principal(msgspec.Struct, frozen=True, gc=False):
    """Who is asking. `name` is the subject within its role; the one party id that the role needs is set.

    `expires_at_s` is in seconds since 1970: from then on this principal is nobody (None: never). `address` is set for
    ANYONE behind a trusted proxy, see `anyone_at`.
    Raises ValueError without the id that its role needs.
    """

    role: Role
    name: str
    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None
    restaurants: frozenset[str] = frozenset()
    order_id: int | None = None
    expires_at_s: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        needed: dict[Role, object] = {
            Role.CUSTOMER: self.customer_id,
            Role.RESTAURANT: self.restaurant_id,
            Role.COURIER: self.courier_id,
            Role.SERVICE: self.restaurants,
            Role.LINK: self.order_id,
        }
        if not needed.get(self.role, True):
            raise ValueError(f"a principal of the role {self.role} lacks its id")

    @property
    def actor(self) -> str:
        """As it signs events: `courier:7`. The role goes first, so that no two roles sign alike."""
        return self.name if self.role is Role.ANYONE else f"{self.role}:{self.name}"

    def serves(self, restaurant_id: str) -> bool:
        """Of a service."""
        return self.restaurants == ALL or restaurant_id in self.restaurants


ANYONE = Principal(Role.ANYONE, "anonymous")
"""A client of a server without access control."""


@lru_cache(maxsize=1024)
def anyone_at(address: str) -> Principal:
    """A client of a server without access control, for which a trusted proxy named this address.

    It may do what ANYONE may. Its held polls can be told from those of other addresses. Cached, so that the polls of
    one address share a principal.
    """
    return msgspec.structs.replace(ANYONE, address=address)


_ROLES = {role.value: role for role in Role}


def role_of(actor: str) -> Role | None:
    """Of the actor of an event; None when nobody with a token signed it."""
    role, colon, _name = actor.partition(":")
    return _ROLES.get(role) if colon else None


class Action(StrEnum):
    READ = "read"
    TRACK = "track"
    LIST = "list"
    CREATE = "create"
    MOVE = "move"
    CANCEL = "cancel"
    UNDO = "undo"
    ASSIGN_COURIER = "assign_courier"
    SIMULATE = "simulate"
    LINK = "link"
    STATS = "stats"
    AUDIT = "audit"
