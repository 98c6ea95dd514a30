"""The message of a refusal for lack of permission, made from the access table."""

from __future__ import annotations

from ordertrack.core.access import GRANTS, Grant
from ordertrack.core.errors import Forbidden
from ordertrack.core.event import Status
from ordertrack.core.principal import Action, Role

_ROLES = {
    Role.CUSTOMER: "a customer",
    Role.RESTAURANT: "a restaurant",
    Role.COURIER: "a courier",
    Role.SERVICE: "a service",
    Role.ADMIN: "an administrator",
    Role.LINK: "the holder of a tracking link",
}
_VERBS = {
    Action.READ: ("read", "an order"),
    Action.TRACK: ("track", "an order"),
    Action.LIST: ("list", "orders"),
    Action.CREATE: ("create", "an order"),
    Action.MOVE: ("move", "an order"),
    Action.CANCEL: ("cancel", "an order"),
    Action.UNDO: ("undo", "a step"),
    Action.ASSIGN_COURIER: ("assign", "a courier to an order"),
    Action.SIMULATE: ("simulate", "an order"),
    Action.LINK: ("make", "a tracking link"),
    Action.STATS: ("read", "the statistics"),
    Action.AUDIT: ("read", "the audit log"),
}
_STEPS = (Grant.RESTAURANT_STEPS, Grant.OWN_STEPS)
"""Grants that name what may be undone; the other conditions name when."""


def permission_words(error: Forbidden) -> str:
    """Return what the role may not do, and either its condition or the roles that may."""
    role, verb, what = _ROLES.get(error.role, error.role).capitalize(), *_VERBS[error.action]
    what += f" to {error.status}" if error.status else ""
    grant = _grant(error.role, error.action, error.status)
    if grant is Grant.NO:
        able = [name for other, name in _ROLES.items() if _grant(other, error.action, error.status) is not Grant.NO]
        return f"{role} may not {verb} {what}. Allowed to: {', '.join(able)}."
    if grant in (Grant.YES, Grant.ANY_TIME):
        own = "orders of the restaurants that its token names" if error.role is Role.SERVICE else "its own orders"
        return f"{role} may {verb} only {own}."
    return f"{role} may {verb} only {grant}." if grant in _STEPS else f"{role} may {verb} {what} only {grant}."


def _grant(role: Role, action: Action, status: Status | None) -> Grant:
    """Return the grant of a cell; for a move without a status, the first that is not NO."""
    rows = [GRANTS[row] for row in GRANTS if row[0] is role and row[1][0] is action and status in (None, row[1][1])]
    return next((grant for grant in rows if grant is not Grant.NO), Grant.NO)
