"""`ordertrack serve --workers N`: a supervisor and N workers, each a node of one cluster, on one port.

The supervisor opens a listening socket for each worker (SO_REUSEPORT: the kernel spreads new connections over them) and
keeps all of them open. So a worker can be replaced with no connection refused, reset or delayed: the new worker accepts
from the same socket before the old one retires. A worker that closed its own socket would reset the connections in its
backlog, or, if it dropped new ones meanwhile, delay them by a second.

    start      worker 1; once it is ready, the others; once all are ready, the ready message
    SIGHUP     one place after another: start a new worker, wait until it is ready, retire the old one, wait for its end
    SIGTERM    stop all workers at once and wait for them; a second signal kills them
    a worker ends by itself: start another one, after a pause that grows when workers keep ending at once

Supervisor and worker share a pair of sockets. The worker sends its ready message, the supervisor RETIRE, and the end of
one side is noticed by the other: workers stop when their supervisor was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from ordertrack.http.listener import BACKLOG, RETIRE, bound

START_LIMIT_S = 60.0
"""Time a worker may take until it is ready."""
QUICK_END_S = 10.0
"""A worker that ends sooner after its start counts as one that ended at once."""
GIVE_UP_AFTER = 4
"""Quick ends in a row, of every worker, after which the supervisor ends."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
"""The pause before a worker is started again doubles; the first time there is none."""
UNREADY_STOP_S = 10.0
STOP_MARGIN_S = 0.2
READ_BYTES = 64 * 1024
EXIT_FAILED, EXIT_UNFINISHED, EXIT_SIGNAL = 1, 70, 128
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("ordertrack.workers")


@dataclass(frozen=True)
class Ready:
    """The ready message: as JSON and as text. After a signal the worker ends within `stop_limit_s`."""

    data: dict[str, Any]
    text: str
    stop_limit_s: float


def send_ready(channel: socket.socket, message: Ready) -> None:
    """Tell the supervisor that this worker is ready."""
    channel.sendall(json.dumps(asdict(message)).encode() + b"\n")


class Worker:
    """A worker process. `ready` is None when it ended, or took START_LIMIT_S, before it was ready."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.pid = process.pid
        self.is_retired = False
        self.ready = asyncio.create_task(self._receive_ready())
        self.ended = asyncio.create_task(self._wait())
        self._process = process
        self._channel = channel

    @classmethod
    async def start(cls, number: int, listener: socket.socket) -> Worker:
        channel, its = socket.socketpair()
        channel.setblocking(False)
        with its:
            process = await asyncio.create_subprocess_exec(
                *_command(),
                *("--as-worker", str(number), str(listener.fileno()), str(its.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(listener.fileno(), its.fileno()),
                process_group=0,  # Ctrl-C signals the supervisor alone
            )
        return cls(process, channel)

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    def retire(self) -> None:
        """Stop it as a signal does, but leave its listening socket to its successor."""
        self.is_retired = True
        with contextlib.suppress(OSError):
            self._channel.send(RETIRE)

    async def end(self) -> int:
        """Wait until it has stopped; kill it when that takes too long. Return the exit code."""
        message = self.ready.result() if self.ready.done() else None
        limit_s = UNREADY_STOP_S if message is None else message.stop_limit_s + STOP_MARGIN_S
        if not (await asyncio.wait([self.ended], timeout=limit_s))[0]:
            log.error("a worker did not stop in time: killed", pid=self.pid)
            self.send_signal(signal.SIGKILL)
            await self.ended
            return EXIT_UNFINISHED
        code = self.ended.result()
        return code if code >= 0 else EXIT_SIGNAL - code

    async def end_unready(self) -> None:
        """Wait until a worker that did not get ready has ended: it may be about to. Kill it if that takes too long."""
        if not (await asyncio.wait([self.ended], timeout=UNREADY_STOP_S))[0]:
            self.send_signal(signal.SIGKILL)

    async def _wait(self) -> int:
        code = await self._process.wait()
        await self.ready
        self._channel.close()
        return code

    async def _receive_ready(self) -> Ready | None:
        received = b""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(START_LIMIT_S):
                while not received.endswith(b"\n"):
                    if not (data := await asyncio.get_running_loop().sock_recv(self._channel, READ_BYTES)):
                        return None
                    received += data
                return Ready(**json.loads(received))
        return None


@dataclass
class Place:
    """A listening socket and the worker that accepts from it. `number` is part of the worker's name.

    `quick_ends` counts those in a row. The lock is held while a worker is replaced.
    """

    number: int
    listener: socket.socket
    worker: Worker
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    quick_ends: int = 0


class Supervisor:
    """Starts workers, replaces those that end, and stops all. Raises: OSError, when it cannot listen."""

    def __init__(self, host: str, port: int, workers: int) -> None:
        bound(host, port).close()  # fails if another server uses the port, also one that would share it
        self._reserved = bound(host, port, shares_port=True)
        """Keeps the port while no worker listens."""
        self._host, self._port = host, self._reserved.getsockname()[1]
        self._listeners = [self._listen() for _ in range(workers)]
        self._places: list[Place] = []
        self._running: set[Worker] = set()
        self._reload = asyncio.Event()
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self, announce: Callable[[Ready], None]) -> int:
        """Run the workers until a signal. `announce` gets the ready message. Return the exit code."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup, os.isatty(0))
        running = asyncio.create_task(self._run(announce))
        running.add_done_callback(lambda _: self._stop(EXIT_FAILED))
        await self._stopping.wait()
        codes = await asyncio.gather(*(worker.end() for worker in self._running))
        await running
        return next(filter(None, (self._code, *codes)), 0)

    async def _run(self, announce: Callable[[Ready], None]) -> None:
        """Start the workers and keep them running until `_stop`, which ends every wait in here."""
        numbered = list(enumerate(self._listeners, 1))
        for group in (numbered[:1], numbered[1:]):  # the first one sets up the database
            started = [Place(number, listener, await self._start(number, listener)) for number, listener in group]
            for place in started:
                if await place.worker.ready is None:
                    self._stop(await place.worker.end() or EXIT_FAILED)
                    return
            self._places += started
        announce(self._message())
        await asyncio.gather(self._reload_when_asked(), *map(self._keep, self._places))

    def _message(self) -> Ready:
        message = self._places[0].worker.ready.result()
        assert message is not None
        pids = [place.worker.pid for place in self._places]
        first, *others = message.text.split("\n")
        words = f"Workers: processes {', '.join(map(str, pids))}. Signal HUP to {os.getpid()} restarts them in turn."
        data = message.data | {"pid": os.getpid(), "workers": pids}
        return replace(message, data=data, text="\n".join((first, words, *others)))

    async def _start(self, number: int, listener: socket.socket) -> Worker:
        worker = await Worker.start(number, listener)
        self._running.add(worker)
        worker.ended.add_done_callback(lambda _: self._forget(worker))
        if self._stopping.is_set():
            worker.send_signal(signal.SIGTERM)
        return worker

    def _forget(self, worker: Worker) -> None:
        if not self._stopping.is_set():  # else its exit code counts
            self._running.discard(worker)

    async def _keep(self, place: Place) -> None:
        """Start another worker when that of the place ends by itself."""
        while not self._stopping.is_set():
            worker = place.worker
            if await worker.ready is None:
                await worker.end_unready()
            elif not (await asyncio.wait([worker.ended], timeout=QUICK_END_S))[0]:
                place.quick_ends = 0
            code = await worker.ended
            async with place.lock:
                if place.worker is worker and not self._stopping.is_set():
                    await self._start_again(place, code)

    async def _start_again(self, place: Place, code: int) -> None:
        place.quick_ends += 1
        if all(other.quick_ends >= GIVE_UP_AFTER for other in self._places):
            log.error("every worker ends soon after its start: giving up", ended=_words(code))
            self._stop(EXIT_FAILED)
            return
        pause_s = 0.0 if place.quick_ends == 1 else min(FIRST_PAUSE_S * 2.0 ** (place.quick_ends - 2), MAX_PAUSE_S)
        log.error("a worker ended: starting another", pid=place.worker.pid, ended=_words(code), pause_s=pause_s)
        if pause_s:
            place.listener.close()  # the other workers get its connections; until now they waited for the next worker
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return
            place.listener = self._listen()
        place.worker = await self._start(place.number, place.listener)

    async def _reload_when_asked(self) -> None:
        while not self._stopping.is_set():
            await self._reload.wait()
            self._reload.clear()
            for place in self._places:
                async with place.lock:
                    if self._stopping.is_set() or not await self._replace(place):
                        break

    async def _replace(self, place: Place) -> bool:
        """Replace a worker without a pause in between. Return False when the new one did not get ready."""
        worker = await self._start(place.number, place.listener)
        if await worker.ready is None:
            await worker.end_unready()
            if not self._stopping.is_set():
                log.error("a new worker did not get ready: the old ones go on", ended=_words(await worker.ended))
            return False
        retired, place.worker = place.worker, worker
        log.info("a new worker is ready: retiring an old one", pid=worker.pid, old=retired.pid)
        retired.retire()
        await retired.end()
        return True

    def _on_signal(self, number: int) -> None:
        if self._stopping.is_set():
            for worker in self._running:
                worker.send_signal(signal.SIGKILL)
            os._exit(EXIT_SIGNAL + number)
        self._stop(0)

    def _on_hangup(self, had_terminal: bool) -> None:
        if had_terminal and not os.isatty(0):  # the terminal was closed
            self._stop(0)
        else:
            self._reload.set()

    def _stop(self, code: int) -> None:
        if self._stopping.is_set():
            return
        self._code = code
        self._stopping.set()
        self._reload.set()
        for listener in (self._reserved, *self._listeners, *(place.listener for place in self._places)):
            listener.close()
        for worker in self._running:
            if not worker.is_retired:
                worker.send_signal(signal.SIGTERM)

    def _listen(self) -> socket.socket:
        listener = bound(self._host, self._port, shares_port=True)
        listener.listen(BACKLOG)
        return listener


def _words(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


def _command() -> list[str]:
    """Return the command of this process, to which a worker's option is added."""
    installed = ["-P"] if Path(sys.argv[0]).name == "ordertrack" else []  # do not look in the working directory
    return [sys.executable, *installed, "-m", "ordertrack", *sys.argv[1:]]
