"""Names of the wire that are not JSON: paths, parameters and headers. Each is written here and nowhere else."""

from __future__ import annotations

API = "/api/v1"
ORDERS = f"{API}/orders"
CUSTOMERS = f"{API}/customers"
RESTAURANTS = f"{API}/restaurants"
COURIERS = f"{API}/couriers"
TRACK_SUFFIX = "/track"
STATUS_SUFFIX = "/status"

# Query parameters of a poll
LAST_UPDATE = "last_update"
CURSOR = "cursor"
TIMEOUT = "timeout"
CLIENT_ID = "client_id"

# Headers, in lower case as ASGI has them
ACCEPT = "accept"
ALLOW = "allow"
CACHE_CONTROL = "cache-control"
CONNECTION = "connection"
CONTENT_LENGTH = "content-length"
CONTENT_TYPE = "content-type"
DATE = "date"
ETAG = "etag"
IDEMPOTENCY_KEY = "idempotency-key"
IF_MATCH = "if-match"
IF_NONE_MATCH = "if-none-match"
LOCATION = "location"
PREFER = "prefer"
PREFERENCE_APPLIED = "preference-applied"
RETRY_AFTER = "retry-after"

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
TEXT = "text/plain"
NO_STORE = "no-store"
