"""nchan: long polling in C, inside nginx, from Debian's packages, with a configuration in a temporary folder.

An update is `POST /pub/ID` with a body as long as an answer of ordertrack, so that both servers send the same bytes.
The next poll sends `If-Modified-Since` and `If-None-Match` of the message before, as nchan requires.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import psutil

from bench.contenders import READY_WITHIN_S, Running, Skipped, free_port, pinned
from bench.peers.process import wait_until_ready
from ordertrack.load import Feed, HttpResponse, LoadTarget, PollPool, PollReply, WrongAnswer, build_request, send_all
from ordertrack.load.protocol import HEADERS

HERE = Path(__file__).parent
UNPACKED = HERE.parent / ".peers" / "nchan"
SYSTEM = Path("/")
BODY_BYTES = 1_300
CHANNELS_FROM = 1_000
STOPPED_WITHIN_S = 20.0
MODULE = "usr/lib/nginx/modules/ngx_nchan_module.so"
COMPILED_FOLDER, OWN_FOLDER = b"\0/var/lib/nginx/body\0", b"\0nchan-message-files\0"
"""nchan creates a folder for large messages when it starts, in /var/lib/nginx, which is missing where nginx is unpacked
and not installed. The path is compiled in, and nchan's directive for it is always refused: `nchan_message_temp_path` is
"duplicate". So a copy of the module gets a path of the same length that is relative to the folder of the configuration.
"""

CONFIG = """
load_module {module};
daemon off;
master_process on;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {connections}; use epoll; multi_accept on; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  tcp_nodelay on;
  keepalive_timeout 3600s;
  keepalive_requests 100000000;
  nchan_shared_memory_size 1024M;
  nchan_message_buffer_length 10;
  nchan_message_timeout 10m;
  nchan_channel_timeout 10m;
  nchan_subscriber_timeout {hold_s}s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/sub/(\\d+)$ {{
      nchan_subscriber longpoll; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }}
    location ~ ^/pub/(\\d+)$ {{ nchan_publisher http; nchan_channel_id $1; }}
    location = /status {{ nchan_stub_status; }}
  }}
}}
"""


FILLER = b"x" * BODY_BYTES
_UPDATE_TAIL = f" HTTP/1.1\r\n{HEADERS}Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()


class _Message(msgspec.Struct, gc=False):
    id: int
    version: int


class _Body(msgspec.Struct):
    data: _Message


_body = msgspec.json.Decoder(_Body)


class NchanProtocol:
    """A position is the two header lines of the last message."""

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s
        self.last_version: int | None = None

    def poll(self, feed: int, position: bytes) -> bytes:
        return b"GET /sub/%d HTTP/1.1\r\n%s%s\r\n" % (feed, HEADERS.encode(), position)

    def parse(self, response: HttpResponse) -> PollReply:
        if response.status == 408:
            return PollReply(None, False, 0, None, b"")
        if response.status != 200:
            raise WrongAnswer(f"status {response.status}")
        try:
            message = _body.decode(response.body).data
        except msgspec.MsgspecError as error:
            raise WrongAnswer(f"not a published message: {error}") from None
        etag, modified = response.header(b"etag"), response.header(b"last-modified")
        if not etag or not modified:
            raise WrongAnswer("a message without its id")
        position = b"If-Modified-Since: %s\r\nIf-None-Match: %s\r\n" % (modified, etag)
        return PollReply(message.id, True, message.version, message.version, position)

    def update(self, feed: int, version: int) -> bytes:
        content = b'{"success":true,"data":{"id":%d,"version":%d},"filler":"' % (feed, version)
        content += FILLER[: BODY_BYTES - len(content) - 2] + b'"}'
        return b"POST /pub/%d%s%s" % (feed, _UPDATE_TAIL, content)

    def updates(self, changes: Sequence[tuple[int, int]]) -> bytes:
        raise ValueError("nchan publishes one message per request and has no bulk updates")

    def accepted(self, response: HttpResponse, count: int) -> bool:
        return count == 1 and response.status in (201, 202)


class Nchan:
    def __init__(self, *, workers: int = 1) -> None:
        self.name = "nchan" if workers == 1 else f"nchan, {workers} workers"
        self._workers = workers

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        root = installed()
        with TemporaryDirectory(prefix="ordertrack-bench-nchan-") as name:
            folder, port = Path(name), free_port()
            config = folder / "nginx.conf"
            module = folder / "ngx_nchan_module.so"
            module.write_bytes((root / MODULE).read_bytes().replace(COMPILED_FOLDER, OWN_FOLDER))
            config.write_text(
                CONFIG.format(
                    module=module,
                    workers=self._workers,
                    folder=folder,
                    connections=polls * 5 // 4 + 1_000,  # nginx closes idle connections when less than 1/16 are free
                    hold_s=round(hold_s),
                    port=port,
                ),
                encoding="utf-8",
            )
            folder.chmod(0o755)
            errors = folder / "error.log"
            command = [str(root / "usr/sbin/nginx"), "-p", name, "-c", str(config), "-e", str(errors)]
            with (folder / "stderr").open("wb") as stderr:
                master = subprocess.Popen(pinned(command), stderr=stderr)
            try:
                wait_until_ready(port, master, errors)
                yield _running(self.name, LoadTarget("127.0.0.1", port), hold_s, _workers(master.pid, self._workers))
            finally:
                master.terminate()
                master.wait(STOPPED_WITHIN_S)


def _workers(master: int, count: int) -> list[psutil.Process]:
    """Return the workers once they are started: the master listens before."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s:
        children = psutil.Process(master).children()
        workers = [child for child in children if "worker process" in " ".join(child.cmdline())]
        if len(workers) == count:
            return workers
        time.sleep(0.05)
    raise Skipped(f"nginx has {len(workers)} workers, not {count}")


def _running(name: str, target: LoadTarget, hold_s: float, workers: list[psutil.Process]) -> Running:
    return Running(
        name=name,
        target=target,
        protocol=NchanProtocol(hold_s),
        processes=workers,
        feeds=_make_channels,
        held=_held,
    )


def _make_channels(pool: PollPool, count: int) -> list[Feed]:
    """Create channels with a first message, whose id is the position of the first polls: a poll without a position
    would miss a message between its timeout and the next poll."""
    feeds: list[Feed] = []
    requests = (pool.protocol.update(CHANNELS_FROM + n, 1) for n in range(count))

    def published(response: HttpResponse) -> None:
        found = re.search(rb"last_message_id\": \"(\d+):(\d+)", response.body)
        if found is None:
            raise Skipped(f"nchan answered {response.status} to a message: {response.body[:200]!r}")
        modified = formatdate(int(found[1]), usegmt=True)
        position = f"If-Modified-Since: {modified}\r\nIf-None-Match: {found[2].decode()}\r\n"
        feeds.append(Feed(CHANNELS_FROM + len(feeds), 1, position.encode()))

    send_all(pool, 1, requests, published)
    return feeds


def _held(pool: PollPool) -> int:
    texts: list[str] = []
    send_all(pool, 1, [build_request("GET", "/status")], lambda response: texts.append(response.body.decode()))
    found = re.search(r"^subscribers: (\d+)", texts[0], re.MULTILINE)
    if found is None:
        raise WrongAnswer(f"nchan's status page says {texts[0]!r}")
    return int(found[1])


def installed() -> Path:
    """Return the folder of nginx and nchan. Raises: Skipped."""
    for root in (UNPACKED, SYSTEM):
        if (root / "usr/sbin/nginx").exists() and (root / MODULE).exists():
            return root
    script = HERE / "install-nchan.sh"
    done = subprocess.run([str(script)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"{script.name} failed: {done.stderr.strip()[-300:]}")
    return UNPACKED


def version() -> str:
    root = installed()
    nginx = subprocess.run([str(root / "usr/sbin/nginx"), "-v"], capture_output=True, text=True, check=True)
    packages = [path.name.split("_")[1].replace("%3a", ":") for path in root.glob("packages/libnginx-mod-nchan_*")]
    return f"nchan {packages[0] if packages else '(system)'}, {nginx.stderr.strip().removeprefix('nginx version: ')}"
