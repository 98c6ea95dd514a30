"""Servers to test clients with: a scripted one, and the real one as a process.

Both live outside the test's own event loop, so that the blocking and the asynchronous client can meet the same ones.
"""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from support import ports
from support.forked import Forked
from support.server import environment

WAIT_S = 60.0
"""The limit of every wait, reached only by a failing test."""


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Connected:
    """One connection while a request on it is being served."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: Received = field(default_factory=lambda: Received("", "", {}, {}, b""))

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)


Act = Callable[[Connected], Awaitable[None]]


def answers(status: int, value: Any = None, **headers: str) -> Act:
    """A complete answer. `retry_after="3"` becomes the header `retry-after`."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    async def act(connected: Connected) -> None:
        connected.send(status, body, {"content-length": str(len(body)), **named})

    return act


async def resets(connected: Connected) -> None:
    """Reset the connection."""
    connected.writer.transport.abort()


async def closes(connected: Connected) -> None:
    connected.writer.close()


async def half_answers(connected: Connected) -> None:
    """The beginning of an answer, then the end of the connection."""
    connected.send(200, b'{"success": true, "da', {"content-length": "900"})
    await connected.writer.drain()
    connected.writer.close()


async def stays_silent(connected: Connected) -> None:
    """Hold the request until the client closes."""
    await connected.reader.read()


class ScriptedServer:
    """Does one act for each request, in order; what it was asked is in `requests`. At the end of the script it says
    404, so that a client that asks too much ends its test."""

    def __init__(self, *script: Act) -> None:
        self._script = list(script)
        self.requests: list[Received] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def queries(self) -> list[dict[str, str]]:
        """Return the parameters of each poll, without the random client id."""
        return [{name: v for name, v in r.query.items() if name != "client_id"} for r in self.requests]

    async def serve(self, port: int, started: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected = Connected(reader, writer)
        try:
            while not writer.is_closing():
                connected.received = await _read_request(reader)
                self.requests.append(connected.received)
                act = (
                    self._script.pop(0) if self._script else answers(404, {"success": False, "error": "end_of_script"})
                )
                await act(connected)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


@contextmanager
def scripted(*script: Act, server: ScriptedServer | None = None) -> Iterator[ScriptedServer]:
    server = server or ScriptedServer(*script)
    started, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_until_quiet(server, started, ended)), daemon=True)
    thread.start()
    assert started.wait(WAIT_S)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(WAIT_S)
        loop.close()


async def _until_quiet(server: ScriptedServer, started: threading.Event, ended: asyncio.Event) -> None:
    await server.serve(0, started, ended)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class RealServer:
    """`ordertrack serve` as a process. `stop` and `start` again keep port and data."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self._data_dir = data_dir
        self._options = options
        self._port = ports.unused()
        self._process: Forked | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        arguments = ("serve", "--json", f"--port={self._port}", f"--data-dir={self._data_dir}", "--log-level=error")
        self._process = Forked([*arguments, *self._options], environment())
        next(lines_of(self._process))  # it listens

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        process.wait(WAIT_S)
        process.stdout.close()
        process.stderr.close()


def lines_of(process: Forked) -> Iterator[str]:
    """The lines a process prints, each waited for at most WAIT_S."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=WAIT_S):
        yield line


@contextmanager
def real_server(data_dir: Path, *options: str) -> Iterator[RealServer]:
    server = RealServer(data_dir, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
