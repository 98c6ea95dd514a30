"""Signals between nodes in one process. A node that is alone has a bus of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ordertrack.ports.signal import Received, SignalUnavailable

QUEUED = 50_000


class Bus:
    """Connects signals. It can be stopped and started again, as a server can."""

    def __init__(self) -> None:
        self.is_up = True
        self._signals: list[MemorySignal] = []

    def join(self, signal: MemorySignal) -> None:
        self._signals.append(signal)

    def leave(self, signal: MemorySignal) -> None:
        if signal in self._signals:
            self._signals.remove(signal)

    def deliver(self, messages: Sequence[tuple[int, str]]) -> None:
        for signal in tuple(self._signals):
            signal.deliver(messages)

    def stop(self) -> None:
        self.is_up = False
        for signal in tuple(self._signals):
            signal.interrupt()

    def start(self) -> None:
        self.is_up = True
        for signal in tuple(self._signals):
            signal.restore()


class MemorySignal:
    name = "in-process"

    def __init__(self, bus: Bus, *, queued: int = QUEUED) -> None:
        self.trouble: str | None = None
        self.lost = 0
        self._bus = bus
        self._queued = queued
        self._is_open = False
        self._messages: list[tuple[int, str]] = []
        self._subscribed: set[int] = set()

    async def open(self, received: Received, interrupted: Callable[[], None], restored: Callable[[], None]) -> None:
        self._received, self._interrupted, self._restored = received, interrupted, restored
        self._bus.join(self)
        self._is_open = True
        if self._bus.is_up:
            restored()

    async def close(self, limit_s: float = 0.0) -> None:
        self._send()
        self._is_open = False
        self._bus.leave(self)

    def publish(self, messages: Sequence[tuple[int, str]]) -> None:
        room = self._queued - len(self._messages) if self._is_open and self._bus.is_up else 0
        self.lost += max(0, len(messages) - room)
        if room > 0 and messages:
            if not self._messages:
                asyncio.get_running_loop().call_soon(self._send)
            self._messages.extend(messages[:room])

    async def subscribe(self, channel: int) -> None:
        if not (self._is_open and self._bus.is_up):
            raise SignalUnavailable
        self._subscribed.add(channel)

    def unsubscribe(self, channel: int) -> None:
        self._subscribed.discard(channel)

    def deliver(self, messages: Sequence[tuple[int, str]]) -> None:
        for channel, text in messages:
            if channel in self._subscribed:
                self._received(channel, text)

    def interrupt(self) -> None:
        self.trouble = "without signals from other nodes: the bus was stopped"
        self.lost += len(self._messages)
        self._messages.clear()
        self._subscribed.clear()
        self._interrupted()

    def restore(self) -> None:
        self.trouble = None
        self._restored()

    def _send(self) -> None:
        messages, self._messages = self._messages, []
        self._bus.deliver(messages)
