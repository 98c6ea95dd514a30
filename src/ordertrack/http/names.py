"""Names of the wire that are not JSON: paths, parameters and headers. Each is declared here once.

The rest of the server takes them from here. Text for people (the OpenAPI document, messages) and the client, which
shares no code with the server, write them again.
"""

from __future__ import annotations

API = "/api/v1"
ORDERS = f"{API}/orders"
CUSTOMERS = f"{API}/customers"
RESTAURANTS = f"{API}/restaurants"
COURIERS = f"{API}/couriers"
LINKS = "/t"
TRACK_SUFFIX = "/track"
STATUS_SUFFIX = "/status"
LINKS_SUFFIX = "/links"

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
HOST = "host"
IDEMPOTENCY_KEY = "idempotency-key"
IF_MATCH = "if-match"
IF_NONE_MATCH = "if-none-match"
LOCATION = "location"
PREFER = "prefer"
PREFERENCE_APPLIED = "preference-applied"
RATELIMIT = "ratelimit"
RATELIMIT_POLICY = "ratelimit-policy"
RETRY_AFTER = "retry-after"
AUTHORIZATION = "authorization"
WWW_AUTHENTICATE = "www-authenticate"
ORIGIN = "origin"
SEC_FETCH_SITE = "sec-fetch-site"
VARY = "vary"
ALLOW_ORIGIN = "access-control-allow-origin"
ALLOW_METHODS = "access-control-allow-methods"
ALLOW_HEADERS = "access-control-allow-headers"
EXPOSE_HEADERS = "access-control-expose-headers"
MAX_AGE = "access-control-max-age"
X_FORWARDED_FOR = "x-forwarded-for"

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
TEXT = "text/plain"
NO_STORE = "no-store"
