"""Servers that start at once, as forks of one process that has loaded all modules.

To load them takes 0.6 s of CPU, most of a start, and the tests start two hundred servers. A fork runs the same `main`
with its own arguments, environment and standard streams. tests/process/test_started.py starts the command itself.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence

LENGTH = struct.Struct("!I")


class Forked:
    """A running `ordertrack`, with as much of the interface of `subprocess.Popen` as tests use."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        (out, its_out), (err, its_err), (status, its_status) = os.pipe(), os.pipe(), os.pipe()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        request = json.dumps({"arguments": [*arguments], "env": {**env}, "files": files}).encode()
        parent = _parent()
        socket.send_fds(parent, [LENGTH.pack(len(request))], [its_out, its_err, its_status])
        parent.sendall(request)
        for fd in (its_out, its_err, its_status):
            os.close(fd)
        self.stdout, self.stderr = os.fdopen(out, encoding="utf-8"), os.fdopen(err, encoding="utf-8")
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("ordertrack", timeout)
        return self._ended() if self.returncode is None else self.returncode

    def _ended(self) -> int:
        self.returncode = int(self._status.readline())
        self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def _parent() -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, str(its.fileno())],
        pass_fds=[its.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # as in its forks: a stream that has begun as a file stays one
        stderr=subprocess.STDOUT,
    )
    its.close()

    def end() -> None:
        ours.close()
        process.wait(60)
        process.stdout.close()

    atexit.register(end)
    return ours


def main() -> None:
    """Fork for each request. A fork leaves this function with the end of its command."""
    from ordertrack.cli.main import main as command

    for module in (
        "ordertrack.cli.serve",
        "ordertrack.app.build",
        "ordertrack.http.server",
    ):  # what the command imports when it serves
        importlib.import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        head, fds, _, _ = socket.recv_fds(channel, LENGTH.size, 3)
        if not head:
            return
        request = channel.recv(*LENGTH.unpack(head), socket.MSG_WAITALL)
        if os.fork() == 0:
            channel.close()
            break
        for fd in fds:
            os.close(fd)
    _as_requested(json.loads(request), *fds)
    command()


def _as_requested(request: dict[str, object], out: int, err: int, status: int) -> None:
    """Return in a process that is as requested. Its parent reports its id, and at last its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        os.close(out)
        os.close(err)
        os.write(status, b"%d\n" % pid)
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for fd in (out, err, status):
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["env"])
    resource.setrlimit(resource.RLIMIT_NOFILE, request["files"])
    sys.argv = ["ordertrack", *request["arguments"]]


if __name__ == "__main__":
    main()
