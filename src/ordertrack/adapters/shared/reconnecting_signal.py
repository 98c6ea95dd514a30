"""A signal through a server: the queue of messages, the subscriptions, and the connection that is made again.

Two tasks serve a link: one publishes what is queued, the other subscribes and checks that the server answers. What
arrives during a round trip is done in the next one, so many messages and many subscriptions share it.
A link that fails is never repaired: all subscriptions end, and a new one is made.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ordertrack.ports.signal import (
    CONTROL,
    SILENCE_LIMIT_S,
    SUBSCRIBE_LIMIT_S,
    Received,
    SignalCannotOpen,
    SignalUnavailable,
)

PROBE = CONTROL + 1
"""The channel on which a new link sends itself a message. No node is subscribed to it for longer."""
BATCH = 1_000
CLOSE_LIMIT_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalLimits:
    connect_s: float = 5.0
    """A process that cannot connect when it starts ends within 10 s."""
    subscribe_s: float = SUBSCRIBE_LIMIT_S
    silence_s: float = SILENCE_LIMIT_S
    queued: int = 50_000
    """Messages."""
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0


class LinkLost(Exception):
    """The link ended. The message is the cause."""


class SignalLink(Protocol):
    """An open connection to the server, or several. It is of no use after one of its methods has raised."""

    ended: asyncio.Future[str]
    """Done when the connection ends, with the cause."""

    async def subscribe(self, channels: Collection[int]) -> None:
        """Return when the server has confirmed."""

    async def unsubscribe(self, channels: Collection[int]) -> None: ...

    async def publish(self, messages: Sequence[tuple[int, str]]) -> None:
        """Return when the server has the messages."""

    async def ping(self) -> None:
        """Return when the server has answered on every connection."""

    def abort(self) -> None:
        """Close at once."""


def describe_server(kind: str, url: str, schemes: Sequence[str]) -> str:
    """Return words with the host and port in a URL, without user and password.

    Raises: SignalCannotOpen. The scheme is not in `schemes`, or the URL is not valid.
    """
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            raise SignalCannotOpen(f"The URL of {kind} must begin with {allowed}.")
        # An unescaped character of a password ends the host early: then part of the password would be shown.
        if url.count("@") == parts.netloc.count("@"):
            return f"{kind} at {parts.netloc.rpartition('@')[2] or 'localhost'}"
    raise SignalCannotOpen(f"The URL of {kind} is not valid: percent-encode special characters of the password.")


class ReconnectingSignal(ABC):
    """A subclass names its server and makes links."""

    busy_pause_s = 0.0
    """The time between two rounds when more messages wait already."""

    def __init__(self, server: str, limits: SignalLimits) -> None:
        self.trouble: str | None = None
        self.lost = 0
        self._server = server
        self._limits = limits
        self._link: SignalLink | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._work = asyncio.Event()
        self._outgoing = asyncio.Event()
        self._messages: deque[tuple[int, str]] = deque()
        self._subscribed: set[int] = set()
        self._subscribing: dict[int, asyncio.Future[bool]] = {}
        self._unsubscribing: set[int] = set()
        self._probed = asyncio.Event()

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    async def _connect(self) -> SignalLink:
        """Connect, authenticate, and call `_receive` from then on. Raises: Exception, of the driver."""

    @abstractmethod
    def _cause(self, error: BaseException) -> str:
        """Return why a link failed, without a password."""

    async def open(self, received: Received, interrupted: Callable[[], None], restored: Callable[[], None]) -> None:
        self._received, self._interrupted, self._restored = received, interrupted, restored
        try:
            self._link = await self._new_link()
        except Exception as error:
            raise SignalCannotOpen(f"{self._server} cannot be used: {self._cause_of(error)}.") from error
        self._task = asyncio.create_task(self._run(self._link), name=f"signal: {self.name}")
        restored()

    async def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        self._closing = True
        self._work.set()
        self._outgoing.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=limit_s if self._link is not None else 0)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._end_link()

    def publish(self, messages: Sequence[tuple[int, str]]) -> None:
        room = 0 if self._link is None or self._closing else self._limits.queued - len(self._messages)
        self.lost += max(0, len(messages) - room)
        if room > 0:
            self._messages.extend(messages[:room])
            self._outgoing.set()

    async def subscribe(self, channel: int) -> None:
        if channel in self._subscribed:
            return
        if self._link is None:
            raise SignalUnavailable
        self._unsubscribing.discard(channel)
        confirmed = self._subscribing.get(channel)
        if confirmed is None:
            confirmed = self._subscribing[channel] = asyncio.get_running_loop().create_future()
            self._work.set()
        try:
            async with asyncio.timeout(self._limits.subscribe_s):
                if not await asyncio.shield(confirmed):
                    raise SignalUnavailable
        except TimeoutError:
            raise SignalUnavailable from None

    def unsubscribe(self, channel: int) -> None:
        if self._link is not None:
            self._subscribed.discard(channel)
            self._unsubscribing.add(channel)
            self._work.set()

    def _receive(self, channel: int, text: str) -> bool:
        """Return False when the message changed nothing here."""
        if channel in self._subscribed:
            return self._received(channel, text)
        if channel == PROBE:
            self._probed.set()
        return True

    async def _run(self, link: SignalLink) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._limits.first_pause_s
        while True:
            cause = "the connection was closed"
            began_s = loop.time()
            try:
                await _until_end(link, self._serve(link))
            except Exception as error:  # noqa: BLE001 - of the driver; it is the trouble of this signal
                cause = self._cause_of(error)
            self._end_link()
            if self._closing:
                return
            self.trouble = self._describe(cause)
            self._interrupted()
            if loop.time() - began_s > self._limits.longest_pause_s:
                pause_s = self._limits.first_pause_s
            connected: SignalLink | None = None
            while connected is None:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1))
                pause_s = min(pause_s * 2, self._limits.longest_pause_s)
                try:
                    connected = await self._new_link()
                except Exception as error:  # noqa: BLE001 - as above
                    self.trouble = self._describe(self._cause_of(error))
            self._link = link = connected
            self.trouble = None
            self._restored()

    def _end_link(self) -> None:
        """Close the link and end what waits for it."""
        link, self._link = self._link, None
        if link is not None:
            link.abort()
        self.lost += len(self._messages)
        self._messages.clear()
        self._subscribed.clear()
        self._unsubscribing.clear()
        _settle(self._subscribing, False)

    async def _new_link(self) -> SignalLink:
        """Connect, and check that messages arrive: a server may accept connections and allow no subscription."""
        async with asyncio.timeout(self._limits.connect_s):
            link = await self._connect()
            try:
                self._probed.clear()
                await _until_end(link, self._probe(link))
            except BaseException:
                link.abort()
                raise
            return link

    async def _probe(self, link: SignalLink) -> None:
        await link.subscribe((PROBE,))
        await link.publish(((PROBE, ""),))
        await self._probed.wait()
        await link.unsubscribe((PROBE,))

    async def _serve(self, link: SignalLink) -> None:
        """Do what is to do, until the link fails or the signal closes. Messages do not wait for subscriptions."""
        tasks = [asyncio.create_task(work) for work in (self._keep_publishing(link), self._keep_subscribed(link))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_publishing(self, link: SignalLink) -> None:
        while not self._closing or self._messages:
            await self._outgoing.wait()
            self._outgoing.clear()
            async with asyncio.timeout(self._limits.silence_s / 3):
                await self._publish_some(link)
            if self._messages:
                self._outgoing.set()
                if self.busy_pause_s:
                    await asyncio.sleep(self.busy_pause_s)

    async def _keep_subscribed(self, link: SignalLink) -> None:
        """Change subscriptions, and check that the server answers."""
        loop = asyncio.get_running_loop()
        # Silence begins just after an answer at worst: a third passes until the next ping, a third until its limit.
        third_s = self._limits.silence_s / 3
        ping_at_s = loop.time() + third_s
        while not self._closing:
            timer = loop.call_at(ping_at_s, self._work.set)
            await self._work.wait()
            timer.cancel()
            self._work.clear()
            async with asyncio.timeout(third_s):
                await self._change_subscriptions(link)
                if loop.time() >= ping_at_s:
                    await link.ping()
                    ping_at_s = loop.time() + third_s

    async def _change_subscriptions(self, link: SignalLink) -> None:
        subscribing, self._subscribing = self._subscribing, {}
        # A channel in both was subscribed first and unsubscribed then: that is for the next round.
        ending = self._unsubscribing - subscribing.keys()
        self._unsubscribing &= subscribing.keys()
        try:
            if ending:
                await link.unsubscribe(ending)
            if subscribing:
                await link.subscribe(subscribing)
                self._subscribed |= subscribing.keys() - self._unsubscribing
                _settle(subscribing, True)
        finally:
            _settle(subscribing, False)
        if self._unsubscribing:
            self._work.set()

    async def _publish_some(self, link: SignalLink) -> None:
        some = [self._messages.popleft() for _ in range(min(BATCH, len(self._messages)))]
        if not some:
            return
        try:
            await link.publish(some)
        except BaseException:
            self.lost += len(some)
            raise

    def _describe(self, cause: str) -> str:
        return f"without signals from other nodes: {self._server}: {cause}"

    def _cause_of(self, error: BaseException) -> str:
        if isinstance(error, LinkLost):
            return str(error)
        if isinstance(error, TimeoutError):
            return "it does not answer in time"
        if isinstance(error, OSError):
            return error.strerror or "it refuses connections"
        return self._cause(error)


async def _until_end(link: SignalLink, work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, and cancel it when the link ends. Raises: LinkLost, and what `work` raises."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task, link.ended), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise LinkLost(link.ended.result())
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _settle(subscribing: dict[int, asyncio.Future[bool]], confirmed: bool) -> None:
    for future in subscribing.values():
        if not future.done():
            future.set_result(confirmed)
    subscribing.clear()
