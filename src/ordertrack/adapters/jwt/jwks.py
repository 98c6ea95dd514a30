"""Keys that an issuer publishes as a JWK set (RFC 7517, 5) and rotates.

The set is fetched at the start, every `refresh_s`, and when a token names a key that is not in it: issuers rotate keys
by publishing new ones. Tokens with unknown keys cause at most one fetch per `COOL_DOWN_S`, and concurrent callers wait
for the same fetch. A failed fetch changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import structlog

from ordertrack.adapters.jwt.keys import PUBLIC, Key, WeakKey, jwk_key
from ordertrack.adapters.jwt.parts import MAX_KID, read_object
from ordertrack.core.errors import TokensUnavailable
from ordertrack.ports.clock import Clock

FETCH_TIMEOUT_S = 5.0
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 100
COOL_DOWN_S = 30
"""Seconds from the end of a fetch to the next one that an unknown key may cause."""
RETRY_S = 5
"""The same while no key is known."""

log = structlog.get_logger("ordertrack.jwt")
_Keys = dict[tuple[str, str | None], Key]
"""By algorithm and id."""


class PublishedKeys:
    algorithms = PUBLIC

    def __init__(self, url: str, clock: Clock, *, refresh_s: float, timeout_s: float = FETCH_TIMEOUT_S) -> None:
        """`url` is https or on this machine."""
        self.generation = 0
        self._url = url
        self._clock = clock
        self._refresh_s = refresh_s
        self._timeout_s = timeout_s
        self._keys: _Keys = {}
        self._weak: frozenset[tuple[str, str]] = frozenset()
        self._only: dict[str, Key | None] = {}
        self._not_before_s = clock.monotonic_s()
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._refreshing = asyncio.create_task(self._refresh())

    async def close(self) -> None:
        tasks = [task for task in (self._refreshing, self._fetching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the key with this id; without a `kid` the key of the algorithm, if the set has exactly one."""
        return self._only.get(algorithm) if kid is None else self._keys.get((algorithm, kid))

    async def refetch(self) -> None:
        """Raises: TokensUnavailable."""
        if self._fetching is not None or self._clock.monotonic_s() >= self._not_before_s:
            await self.fetch()
        if not self._keys:
            raise TokensUnavailable(RETRY_S)

    async def fetch(self) -> None:
        """Fetch the set, or wait for the fetch in progress. A failure is logged and raises nothing."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _refresh(self) -> None:
        while True:
            await self.fetch()
            await asyncio.sleep(self._refresh_s)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                keys, weak = _keys_of(await self._document())
        except (httpx.HTTPError, ValueError, TimeoutError, OSError) as error:
            kept = len(self._keys)
            log.warning("the keys of tokens could not be fetched", why=str(error) or type(error).__name__, kept=kept)
        except Exception:  # for any fault, waiting requests are answered and the old keys stay
            log.exception("the keys of tokens could not be fetched")
        else:
            self._replace(keys)
            for kid, why in sorted(weak - self._weak):
                log.warning("a published key is refused: tokens signed with it are not accepted", kid=kid, why=why)
            self._weak = weak
        finally:
            self._fetching = None
            self._not_before_s = self._clock.monotonic_s() + (COOL_DOWN_S if self._keys else RETRY_S)

    def _replace(self, keys: _Keys) -> None:
        if any(_comparable(keys.get(id_)) != _comparable(key) for id_, key in self._keys.items()):
            self.generation += 1
        self._keys = keys
        algorithms = [algorithm for algorithm, _ in keys]
        self._only = {algorithm: key for (algorithm, _), key in keys.items() if algorithms.count(algorithm) == 1}

    async def _document(self) -> bytes:
        """Raises: httpx.HTTPError, ValueError."""
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        use_proxy = self._url.startswith("https:")
        async with (
            httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=False, trust_env=use_proxy) as http,
            http.stream("GET", self._url, headers=headers) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer has status {response.status_code}")
            document = bytearray()
            async for chunk in response.aiter_raw():
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    raise ValueError(f"the document has more than {MAX_DOCUMENT_BYTES} bytes")
            return bytes(document)


def _keys_of(document: bytes) -> tuple[_Keys, frozenset[tuple[str, str]]]:
    """Return the usable keys of the set, the first of two with one id, and each weak one as its id and the reason.

    Raises: ValueError without a usable key.
    """
    listed: Any = read_object(document).get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError(f"the document is no set of at most {MAX_KEYS} keys")
    keys: _Keys = {}
    weak: set[tuple[str, str]] = set()
    for jwk in listed:
        kid = jwk.get("kid") if isinstance(jwk, dict) else 0
        if not (kid is None or (isinstance(kid, str) and len(kid) <= MAX_KID)):
            continue
        try:
            key = jwk_key(jwk)
        except WeakKey as error:
            weak.add((kid or "", str(error)))
            continue
        except ValueError:
            continue
        keys.setdefault((key.algorithm, kid), key)
    if not keys:
        whys = "".join(f"; {kid or 'one'} {why}" for kid, why in sorted(weak))
        raise ValueError(f"the document has no key that can be used{whys}")
    return keys, frozenset(weak)


def _comparable(key: Key | None) -> object:
    """Return the value, which is equal for two objects of one key."""
    return key and key.value
