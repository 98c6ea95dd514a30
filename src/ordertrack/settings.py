"""The declaration of every setting: default, unit (in the name), bounds and description.

Flags, `ORDERTRACK_*` variables, the TOML file and docs/reference/settings.md are generated from them.
"""

from __future__ import annotations

import re
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from ordertrack.bounds import Bounds
from ordertrack.core.event import Status
from ordertrack.core.languages import LANGUAGES
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.database_url import DatabaseKind, DatabaseUrl, parse_database_url, parse_redis_url
from ordertrack.http.policy.client_address import parse_networks
from ordertrack.http.policy.cors import parse_origins
from ordertrack.loopback import is_loopback
from ordertrack.ports.tokens import MIN_SECRET_BYTES

ENV_PREFIX = "ORDERTRACK_"
HAS_EPOLL = hasattr(select, "epoll")
EDGE_MARGIN_S = 2
"""A hold ends this long before a proxy in front would time out."""


class InvalidSetting(ValueError):
    """The setting `name` has an invalid value; the message says what is allowed."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{flag(name)} {message}")
        self.name, self.message = name, message


def _setting(
    default: Any, doc: str, *, secret: bool = False, shown: Callable[[Any], str] | None = None, **bounds: Any
) -> Any:
    """Declare a setting. A `secret` is never printed; `shown` returns what is printed of one that may have a secret."""
    is_open = not secret and shown is None
    metadata = {"doc": doc, "bounds": Bounds(**bounds), "secret": secret, "shown": shown}
    return field(default=default, repr=is_open, metadata=metadata)


def _stage_setting(status: Status) -> Any:
    return _setting(
        float(TIMINGS_S[status]),
        f"Usual time of an order in `{status}`, for its expected arrival.",
        least=1,
        most=86_400,
    )


_DATA = Path("data")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of all settings. Raises: InvalidSetting."""

    host: str = _setting(
        "127.0.0.1",
        "Address to listen on. Without access control (no token key set) it must be a loopback address.",
    )
    port: int = _setting(5001, "Port to listen on; 0 selects a free port.", least=0, most=65_535)
    data_dir: Path = _setting(_DATA, "Folder of the SQLite database. Created if missing; for one process at a time.")
    database_url: str = _setting(
        "sqlite:",
        "Store of orders: `sqlite:` keeps them in the data folder, `memory:` until the process ends, "
        "`postgresql://user:password@host:port/database` on a server that several nodes share.",
        shown=lambda url: parse_database_url(url).shown,
    )
    database_listen_url: str | None = _setting(
        None,
        "URL of the same PostgreSQL database without a pooler, for LISTEN. Set it when `database_url` leads through "
        "PgBouncer in transaction mode.",
        shown=lambda url: parse_database_url(url).shown,
    )
    database_connections: int = _setting(
        10, "Maximum number of connections of this node to PostgreSQL.", least=3, most=100
    )
    redis_url: str | None = _setting(
        None,
        "Redis or Valkey for signals between nodes: `redis://host:port`, or `rediss://` with TLS. Without it nodes use "
        "LISTEN and NOTIFY of PostgreSQL.",
        shown=lambda url: parse_redis_url(url).shown,
    )
    cluster_prefix: str = _setting(
        "ordertrack", "Begins the names of the signals' channels. Clusters that share a server need different ones."
    )
    workers: int = _setting(
        1,
        "Worker processes, each a node of the cluster, that share the port (Linux). More than 1 need a database that "
        "several processes use.",
        least=1,
        most=64,
    )
    sample_orders: bool = _setting(True, "Load the sample orders 101, 102 and 103 into an empty store.")
    gate: str = _setting(
        "auto",
        "HTTP server: the built-in epoll server (`on`) or uvicorn (`off`); `auto` is `on` where epoll exists.",
        choices=("auto", "on", "off"),
    )
    max_timeout_s: float = _setting(240.0, "Longest time a poll is held.", least=1, most=3600)
    edge_timeout_s: float = _setting(
        0.0,
        "Response timeout of the proxy, load balancer or CDN in front; holds end 2 s earlier. 0: unknown.",
        least=EDGE_MARGIN_S + 1,
        most=3600,
        or_zero=True,
    )
    max_connections_per_order: int = _setting(10, "Maximum number of polls held for one order.", least=1, most=1_000)
    max_polls_per_client: int = _setting(
        100, "Maximum number of polls held for one `client_id`, over all orders.", least=1, most=1_000_000
    )
    max_held_polls: int = _setting(10_000, "Maximum number of polls held by this process.", least=1, most=1_000_000)
    resuming_reserve_percent: int = _setting(
        10,
        "Share of `max_held_polls` reserved for polls with a position, so that clients continue on a full node.",
        least=0,
        most=90,
    )
    undo_window_s: float = _setting(120.0, "Time in which a status change can be undone.", least=0, most=86_400)
    eta: bool = _setting(True, "Give orders an expected arrival.")
    eta_change_threshold_s: float = _setting(
        300.0, "Time by which an expected arrival has to move to be told, or to count as late.", least=1, most=86_400
    )
    eta_confirmed_s: float = _stage_setting(Status.CONFIRMED)
    eta_preparing_s: float = _stage_setting(Status.PREPARING)
    eta_ready_s: float = _stage_setting(Status.READY)
    eta_picked_up_s: float = _stage_setting(Status.PICKED_UP)
    keep_alive_s: int = _setting(
        75, "Time an idle connection is kept open; must exceed that of the proxy in front.", least=1, most=3600
    )
    head_timeout_s: float = _setting(10.0, "Time a client may take to send the head of a request.", least=0.1, most=600)
    body_timeout_s: float = _setting(
        30.0, "Time a client may take to send the body of a request, of at most 1 MiB.", least=0.1, most=600
    )
    read_timeout_s: float = _setting(
        30.0, "Time a response may wait for a client that does not read it.", least=0.1, most=600
    )
    shutdown_grace_s: int = _setting(
        10, "Time running requests may take to finish after SIGTERM, once held polls are answered.",
        least=0, most=3600,
    )  # fmt: skip
    drain_window_s: float = _setting(
        0.5,
        "Time over which held polls are answered after SIGTERM, in random order, to spread the reconnections.",
        least=0,
        most=3600,
    )
    token_secret: str | None = _setting(
        None,
        "Shared secret that signs tokens (HS256), 32 bytes or more. Prefer `token_secret_file`.",
        secret=True,
    )
    token_secret_file: str | None = _setting(None, "File with the shared secret; `ordertrack secret` creates one.")
    token_public_key_file: str | None = _setting(
        None, "PEM file with the public key that verifies tokens: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)."
    )
    token_jwks_url: str | None = _setting(
        None, "The https:// URL at which the token issuer publishes its public keys (JWKS)."
    )
    token_jwks_refresh_s: int = _setting(600, "Time between two fetches of `token_jwks_url`.", least=1, most=86_400)
    token_audience: str = _setting("", "Required value of the claim `aud`, alone or in its list; empty: any.")
    token_issuer: str = _setting("", "Required value of the claim `iss`; empty: any.")
    token_leeway_s: int = _setting(30, "Allowed difference between the clocks of issuer and server.", least=0, most=600)
    token_role_claim: str = _setting("role", "Claim with the role.")
    token_name_claim: str = _setting("sub", "Claim with the name that is recorded as the actor of events.")
    token_customer_claim: str = _setting("customer_id", "Claim with the customer's id.")
    token_restaurant_claim: str = _setting("restaurant_id", "Claim with the restaurant's id.")
    token_courier_claim: str = _setting("courier_id", "Claim with the courier's id.")
    token_restaurants_claim: str = _setting(
        "restaurants", "Claim with the restaurants of a service: a list of ids, or `*`."
    )
    max_remembered_tokens: int = _setting(
        100_000, "Maximum number of verified tokens in the cache.", least=1, most=10_000_000
    )
    link_kept_h: float = _setting(
        24.0, "Hours a tracking link stays valid after its order has ended.", least=0, most=8_760
    )
    trusted_proxies: str = _setting(
        "",
        "Addresses or networks of proxies whose `X-Forwarded-For` is trusted, separated by commas.",
    )
    polls_per_minute: int = _setting(
        600,
        "Polls per minute of one customer, restaurant, courier or link; without access control, of one address that is "
        "not a loopback address. 0: no limit.",
        least=0,
        most=1_000_000,
    )
    reads_per_minute: int = _setting(600, "Other reads per minute, as `polls_per_minute`.", least=0, most=1_000_000)
    writes_per_minute: int = _setting(600, "Changes per minute, as `polls_per_minute`.", least=0, most=1_000_000)
    failed_authentications_per_minute: int = _setting(
        60, "Requests per minute without a valid token from one address. 0: no limit.", least=0, most=1_000_000
    )
    cors_origins: str = _setting(
        "",
        "Origins whose pages may call the API from a browser, separated by commas, such as https://shop.example.",
    )
    page_language: str = _setting("en", "Language of pages for browsers that prefer none of these.", choices=LANGUAGES)
    time_zone: str = _setting("UTC", "Time zone of the times on pages: a name of IANA's database, as Europe/Berlin.")
    node_name: str = _setting(
        "", "Name of this process in the statistics; empty: host name and port, or with port 0 the process id."
    )
    log_level: str = _setting(
        "info", "Least severe level that is logged to standard error.", choices=("debug", "info", "warning", "error")
    )
    log_format: str = _setting("text", "Format of the log.", choices=("text", "json"))

    def __post_init__(self) -> None:
        for setting in declared():
            value = getattr(self, setting.name)
            bounds: Bounds = setting.metadata["bounds"]
            if not bounds.allow(value):
                raise InvalidSetting(setting.name, f"must be {bounds}; it is {value!r}.")
        if self.gate == "on" and not HAS_EPOLL:
            raise InvalidSetting("gate", 'cannot be "on": this system has no epoll.')
        self._check_cluster()
        self._check_workers()
        self._check_tokens()
        if not is_time_zone(self.time_zone):
            near = get_close_matches(self.time_zone.lower(), by_lower := _time_zones_by_lower_case(), n=1, cutoff=0.8)
            advice = f" Did you mean {by_lower[near[0]]}?" if near else ""
            message = f"must be a name such as Europe/Berlin; it is {self.time_zone!r}.{advice}"
            raise InvalidSetting("time_zone", message)
        if not self.has_access_control and not is_loopback(self.host):
            raise InvalidSetting(
                "host",
                f"{self.host} can be reached from other machines, and there is no access control: any client could "
                "read and change every order. Listen on 127.0.0.1, or require tokens: "
                "ordertrack secret > ordertrack.secret && "
                f"ordertrack serve --host {self.host} --token-secret-file ordertrack.secret",
            )

    def _check_cluster(self) -> None:
        for name, parse in URL_SETTINGS.items():
            url = getattr(self, name)
            if url is not None:
                try:
                    parse(url)
                except ValueError as error:
                    raise InvalidSetting(name, str(error)) from None
        for name in ("database_listen_url", "redis_url"):
            if getattr(self, name) is not None and not self.is_cluster:
                raise InvalidSetting(name, "needs a store that nodes share: --database-url postgresql://...")
        listen_url = self.database_listen_url
        if listen_url is not None and parse_database_url(listen_url).kind is not DatabaseKind.POSTGRESQL:
            raise InvalidSetting("database_listen_url", "must be postgresql://user:password@host:port/database.")
        if not _PREFIX.fullmatch(self.cluster_prefix):
            raise InvalidSetting("cluster_prefix", "must be 1 to 40 letters, digits and the signs - _ and dot.")

    @property
    def database(self) -> DatabaseUrl:
        return parse_database_url(self.database_url)

    @property
    def is_cluster(self) -> bool:
        """True when several nodes may use the store."""
        return self.database.kind is DatabaseKind.POSTGRESQL

    def _check_workers(self) -> None:
        if self.workers > 1 and not self.is_cluster:
            raise InvalidSetting(
                "workers",
                f"{self.workers} need a database that several processes can use: --database-url postgresql://... "
                f"With {self.database.shown} only 1 is allowed.",
            )
        if self.workers > 1 and sys.platform != "linux":
            raise InvalidSetting("workers", "above 1 need Linux, which spreads connections over the workers.")

    def _check_tokens(self) -> None:
        given = [name for name in KEY_SETTINGS if getattr(self, name) is not None]
        for name in given:
            if not getattr(self, name).strip():
                raise InvalidSetting(
                    name,
                    f"is empty, which would disable access control. {KEY_SETTINGS[name]}, or remove this setting.",
                )
        if len(given) > 1:
            raise InvalidSetting(given[1], f"and {flag(given[0])} are both set; only one token key is allowed.")
        length = MIN_SECRET_BYTES if self.token_secret is None else len(self.token_secret.encode())
        if length < MIN_SECRET_BYTES:
            raise InvalidSetting("token_secret", f"must have {MIN_SECRET_BYTES} bytes or more; it has {length}.")
        for name in ("role", "name", "customer", "restaurant", "courier", "restaurants"):
            if not getattr(self, f"token_{name}_claim"):
                raise InvalidSetting(f"token_{name}_claim", "must name a claim.")
        for name, parse in (("trusted_proxies", parse_networks), ("cors_origins", parse_origins)):
            try:
                parse(getattr(self, name))
            except ValueError as error:
                raise InvalidSetting(name, f"must be a list separated by commas: {error}.") from None
        if self.token_jwks_url and not _is_trusted(self.token_jwks_url):
            raise InvalidSetting("token_jwks_url", "must be an https:// URL; http:// is allowed only for this machine.")

    @property
    def has_access_control(self) -> bool:
        """True when every request needs a token."""
        return any(getattr(self, name) is not None for name in KEY_SETTINGS)

    @property
    def has_gate(self) -> bool:
        return self.gate == "on" or (self.gate == "auto" and HAS_EPOLL)

    @property
    def longest_hold_s(self) -> float:
        """The longest hold of a poll, limited by `max_timeout_s` and `edge_timeout_s`."""
        return (
            min(self.max_timeout_s, self.edge_timeout_s - EDGE_MARGIN_S) if self.edge_timeout_s else self.max_timeout_s
        )


URL_SETTINGS: dict[str, Callable[[str], object]] = {
    "database_url": parse_database_url,
    "database_listen_url": parse_database_url,
    "redis_url": parse_redis_url,
}
KEY_SETTINGS = {
    "token_secret": "Set a secret, created by `ordertrack secret`",
    "token_secret_file": "Name a file with a secret: ordertrack secret > ordertrack.secret",
    "token_public_key_file": "Name a PEM file",
    "token_jwks_url": "Name an https:// URL",
}
"""The settings that name the token key, of which at most one is set, each with the advice for an empty value."""


def declared() -> Iterator[Field[Any]]:
    """Yield the declarations in the order of this file. `metadata` has `doc`, `bounds` and `secret`."""
    yield from fields(Settings)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    return ENV_PREFIX + name.upper()


def is_time_zone(name: str) -> bool:
    """Return True for the name of a zone in IANA's database."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _time_zones_by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _is_trusted(url: str) -> bool:
    """Return True for an https:// URL, or http:// to this machine: the response cannot be changed on the way."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
