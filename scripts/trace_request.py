"""Count the files, functions and moves of one status update that wakes a held poll.

Starts the server in this process, with a SQLite database in a temporary folder, on a real socket; warms it up, holds a
poll, and records every call of own code (`src/ordertrack`) in every thread from the PUT to both answers.

    python scripts/trace_request.py [--gate on|off] [--no-poll] [--list | --json] [--max-files N] ...

How it counts:

* A function is one `def` or `lambda`. Its calls are counted each; a coroutine or generator that is resumed is not
  called again. Comprehensions and generator expressions belong to the function around them: Python 3.12 inlines them,
  Python 3.11 gives them frames. Generated methods (NamedTuple, msgspec) are not own code.
* A move is a call or a resumption that goes from one own file to another. The return is not counted again (it is in
  `moves_with_returns`). Frames of libraries in between are skipped. Where the event loop or a thread starts own code
  there is no file before it: this is an entry, not a move.
* Callbacks of timers are left out: they run every half second, with or without requests.

The update is made at the start of a second, within 0.6 s of the warm-up, so the texts that are cached for one second
are cached, and the writer thread does not check its file, which it does after a second without updates.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from inspect import CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

LIMITS = ("files", "functions", "moves")
QUIET_S = 0.03
"""Own code has come to rest when none ran for this long."""
WARM_UPS = 3
BOUND_S = 20.0
"""No wait for an answer is longer than this."""
INLINE = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))


class Place(NamedTuple):
    """A function."""

    file: str
    name: str
    line: int


class Event(NamedTuple):
    """A call, a resumption or a return. `other` is the nearest own function below it on the stack."""

    kind: str
    place: Place
    other: Place | None
    depth: int


class Recorder:
    """A profile function (`sys.setprofile`) for all threads. Keeps the events of each while `is_on`."""

    def __init__(self, root: Path) -> None:
        self.is_on = False
        self.last_s = 0.0
        self.events: dict[str, list[Event]] = {}
        self._root = f"{root}/"
        self._places: dict[CodeType, Place | None] = {}

    def __call__(self, frame: FrameType, kind: str, _: object) -> None:
        if kind not in ("call", "return"):
            return
        place = self._place(frame.f_code)
        if place is None:
            return
        other, depth, by_timer = self._below(frame)
        if by_timer:
            return
        self.last_s = time.monotonic()
        if self.is_on:
            kind = "resume" if kind == "call" and _is_resumed(frame) else kind
            self.events.setdefault(threading.current_thread().name, []).append(Event(kind, place, other, depth))

    def wait_until_quiet(self) -> None:
        while (left_s := self.last_s + QUIET_S - time.monotonic()) > 0:
            time.sleep(left_s)

    def _place(self, code: CodeType) -> Place | None:
        """Return the function; None for code that is not counted."""
        if code not in self._places:
            own = code.co_filename.startswith(self._root) and code.co_name not in INLINE
            file = code.co_filename.removeprefix(self._root)
            self._places[code] = Place(file, code.co_qualname, code.co_firstlineno) if own else None
        return self._places[code]

    def _below(self, frame: FrameType) -> tuple[Place | None, int, bool]:
        """Return the nearest own function below, how many there are, and whether a timer called them."""
        nearest: Place | None = None
        depth = 0
        below = frame.f_back
        while below is not None:
            if below.f_code is asyncio.Handle._run.__code__:
                return nearest, depth, isinstance(below.f_locals["self"], asyncio.TimerHandle)
            if (place := self._place(below.f_code)) is not None:
                nearest = nearest or place
                depth += 1
            below = below.f_back
        return nearest, depth, False


def _is_resumed(frame: FrameType) -> bool:
    """The argument of the RESUME instruction is 0 where a function begins."""
    flags = frame.f_code.co_flags & (CO_COROUTINE | CO_GENERATOR)
    return bool(flags) and frame.f_code.co_code[frame.f_lasti + 1] & 3 != 0


class Trace:
    """The recorded calls, counted."""

    def __init__(self, events: dict[str, list[Event]]) -> None:
        self.events = events
        every = [event for of_thread in events.values() for event in of_thread]
        entered = [event for event in every if event.kind != "return"]
        moves = [event for event in every if event.other is not None and event.other.file != event.place.file]
        self.counts = {
            "files": len({event.place.file for event in entered}),
            "functions": len({event.place for event in entered}),
            "moves": sum(event.kind != "return" for event in moves),
            "calls": sum(event.kind == "call" for event in every),
            "resumptions": sum(event.kind == "resume" for event in every),
            "entries": sum(event.other is None for event in entered),
            "moves_with_returns": len(moves),
        }

    def lines(self) -> Iterator[str]:
        """The calls as a tree. `>` marks a move."""
        for thread, events in self.events.items():
            yield f"thread {thread}"
            for kind, place, other, depth in events:
                if kind == "return":
                    continue
                moved = ">" if other is not None and other.file != place.file else " "
                goes_on = " (resumed)" if kind == "resume" else ""
                entry = " [entry]" if other is None else ""
                yield f"  {'  ' * depth}{moved} {place.file}:{place.line} {place.name}{goes_on}{entry}"


class Connection:
    """A keep-alive connection. It is not the client of this project, so none of own code runs for it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=BOUND_S)
        self._file = self._socket.makefile("rb")

    def send(self, method: str, path: str, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode() + data)

    def answer(self) -> Any:
        status = self._file.readline()
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = self._file.read(length)
        if not status.startswith(b"HTTP/1.1 2"):
            raise SystemExit(f"{status.decode()}{body.decode()}")
        return json.loads(body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.send(method, path, body)
        return self.answer()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def trace_update(url: str, recorder: Recorder, *, with_poll: bool) -> Trace:
    writer, reader = Connection(url), Connection(url)
    new = {"customer_id": "c", "restaurant_id": "r", "items": [{"name": "Soup", "quantity": 1}]}
    orders = [f"/api/v1/orders/{writer.ask('POST', '/api/v1/orders', new)['data']['id']}" for _ in range(WARM_UPS)]

    def update(path: str, status: str, *, is_recorded: bool) -> None:
        if with_poll:
            cursor = reader.ask("GET", f"{path}/track")["cursor"]
            reader.send("GET", f"{path}/track?timeout=20&cursor={cursor}")
        time.sleep(QUIET_S)  # the request is on its way
        recorder.wait_until_quiet()
        recorder.is_on = is_recorded
        writer.ask("PUT", f"{path}/status", {"status": status})
        if with_poll:
            reader.answer()
        recorder.wait_until_quiet()
        recorder.is_on = False

    for path in orders:
        update(path, "preparing", is_recorded=False)
    time.sleep(-time.time() % 1.0)
    update(orders[-1], "ready", is_recorded=False)
    update(orders[-1], "picked_up", is_recorded=True)
    writer.close()
    reader.close()
    return Trace(recorder.events)


def run_traced(recorder: Recorder, arguments: argparse.Namespace, data_dir: str) -> Trace:
    """Run `ordertrack serve` in the main thread, its client in another, and return what was recorded."""
    traces: list[Trace] = []
    read_fd, write_fd = os.pipe()
    stdout, sys.stdout = sys.stdout, os.fdopen(write_fd, "w")  # the server writes there that it is ready

    def work() -> None:
        try:
            with os.fdopen(read_fd) as ready:
                url = json.loads(ready.readline())["data"]["url"]
            traces.append(trace_update(url, recorder, with_poll=not arguments.no_poll))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    client = threading.Thread(target=work, name="client", daemon=True)
    client.start()
    sys.argv = ["ordertrack", "serve", "--json", "--port", "0", "--data-dir", data_dir, "--gate", arguments.gate]
    sys.argv += ["--log-level", "error", "--drain-window-s", "0"]
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        runpy.run_module("ordertrack", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        sys.stdout = stdout
    client.join(BOUND_S)
    if not traces:
        raise SystemExit("nothing was recorded: see the error above")
    return traces[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gate", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--no-poll", action="store_true", help="the update alone: no poll waits for it")
    parser.add_argument("--list", action="store_true", help="print the calls as a tree")
    parser.add_argument("--json", action="store_true")
    for limit in LIMITS:
        parser.add_argument(f"--max-{limit}", type=int, metavar="N", help="exit with 1 if there are more")
    arguments = parser.parse_args()

    spec = importlib.util.find_spec("ordertrack")
    if spec is None or spec.origin is None:
        parser.error("ordertrack is not installed here")
    for name in [name for name in os.environ if name.startswith("ORDERTRACK_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        trace = run_traced(Recorder(Path(spec.origin).parent), arguments, folder)
    if arguments.json:
        print(json.dumps({**trace.counts, "tree": list(trace.lines())} if arguments.list else trace.counts))
    else:
        for line in trace.lines() if arguments.list else ():
            print(line)
        print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in trace.counts.items()))
    status = 0
    for limit in LIMITS:
        most = getattr(arguments, f"max_{limit}")
        if most is not None and trace.counts[limit] > most:
            print(f"too many {limit}: {trace.counts[limit]}, at most {most} are allowed", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
