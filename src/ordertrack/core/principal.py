"""Principals: authenticated clients, each with a role and the ids of its orders. `core/access.py` has the grants."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import msgspec

from ordertrack.core.enum_members import plain_members


@plain_members
class Role(StrEnum):
    """`link` is a client with a tracking link, `anyone` a client without access control. No token has these two."""

    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"
    SERVICE = "service"
    ADMIN = "admin"
    LINK = "link"
    ANYONE = "anyone"


ALL = frozenset({"*"})
"""The restaurants of a service that serves all of them."""


class Principal(msgspec.Struct, frozen=True, gc=False):
    """An authenticated client. `name` is the subject within its role; the one party id that the role needs is set.
    `actor`, its name in events, begins with the role (`courier:7`), so that actors of two roles always differ.

    `expires_at_s` is in seconds since 1970: the principal is not valid from then on (None: always valid). `address` is
    set for ANYONE behind a trusted proxy, see `anyone_at`.

    Raises: ValueError without the id that its role needs.
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
    actor: str = ""

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
        actor = self.name if self.role is Role.ANYONE else f"{self.role}:{self.name}"
        msgspec.structs.force_setattr(self, "actor", actor)

    def serves(self, restaurant_id: str) -> bool:
        """Return True when the service works for this restaurant."""
        return self.restaurants == ALL or restaurant_id in self.restaurants


ANYONE = Principal(Role.ANYONE, "anonymous")
"""The principal of every client without access control."""


@lru_cache(maxsize=1024)
def anyone_at(address: str) -> Principal:
    """Return ANYONE with the address that a trusted proxy sent.

    Its grants are those of ANYONE; its held polls count per address. Cached, so that the polls of one address share a
    principal.
    """
    return msgspec.structs.replace(ANYONE, address=address)


_ROLES = {role.value: role for role in Role}


def role_of(actor: str) -> Role | None:
    """Return the role in an event's actor; None when the actor had no token."""
    role, colon, _name = actor.partition(":")
    return _ROLES.get(role) if colon else None


@plain_members
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
