"""Log unexpected errors under an incident id that the client is given."""

from __future__ import annotations

import secrets

import structlog

from ordertrack.core.errors import InternalError
from ordertrack.http.wire.paths import without_token

log = structlog.get_logger("ordertrack.http")


def incident(method: str, path: str, error: Exception) -> InternalError:
    """Log a bug under a new incident id, without the token that its path may have."""
    incident_id = secrets.token_hex(6)
    log.error("internal error", incident=incident_id, method=method, path=without_token(path), exc_info=error)
    return InternalError(incident_id)
