"""A real reverse proxy with the configuration of `deploy/`, as a child process in a folder of its own.

Of the files in `deploy/` only addresses and ports are replaced. What Debian's main configuration says (which modules,
how many threads, where logs go) is written here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple
from urllib.parse import urlsplit

from servers.nginx import MAIN as NGINX_MAIN
from support import missing, ports
from support.http1 import Connection
from support.server import BOUND_S, environment

DEPLOY = Path(__file__).parents[2] / "deploy"
STOP_S = 5.0

Edit = Callable[[str], str]


class Kind(NamedTuple):
    """One proxy. `replaced` are literals of `file`, with `$port` of the proxy and `$server_port` in their places;
    `main` is the rest of its configuration; `$folder` is the folder of this process."""

    program: str
    package: str
    file: str
    replaced: Mapping[str, str]
    command: tuple[str, ...]
    main: str = ""
    variables: Mapping[str, str] = {}


_APACHE_MODULES = ("mpm_event", "authz_core", "headers", "setenvif", "proxy", "proxy_http")
_APACHE = (
    "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _APACHE_MODULES)
    + """
ServerName localhost
Listen 127.0.0.1:$port
StartServers 2
ThreadsPerChild 25
MaxRequestWorkers 150
PidFile $folder/pid
Mutex pthread default
ErrorLog $folder/error.log
LogFormat "%h %t \\"%r\\" %>s" combined
Include $config
"""
)

KINDS: dict[str, Kind] = {
    "nginx": Kind(
        program="nginx",
        package="nginx",
        file="nginx.conf",
        replaced={"listen 80;": "listen 127.0.0.1:$port;", "127.0.0.1:5001": "127.0.0.1:$server_port"},
        command=("nginx", "-p", "$folder", "-e", "$folder/error.log", "-c", "$main"),
        main=NGINX_MAIN,
    ),
    "haproxy": Kind(
        program="haproxy",
        package="haproxy",
        file="haproxy.cfg",
        replaced={"bind :80\n": "bind 127.0.0.1:$port\n", "127.0.0.1:5001": "127.0.0.1:$server_port",
                  "    mode http\n": "    mode http\n    log stdout format raw daemon\n    option httplog\n"},
        command=("haproxy", "-db", "-f", "$config"),
    ),
    "apache": Kind(
        program="apache2",
        package="apache2-bin",
        file="apache.conf",
        replaced={"*:80>": "127.0.0.1:$port>", "127.0.0.1:5001": "127.0.0.1:$server_port"},
        command=("apache2", "-D", "FOREGROUND", "-d", "$folder", "-f", "$main"),
        main=_APACHE,
        variables={"APACHE_LOG_DIR": "$folder"},
    ),
    "caddy": Kind(
        program="caddy",
        package="caddy",
        file="Caddyfile",
        replaced={
            "\tlog {\n": "\tadmin off\n\tlog {\n",
            "\n:80 {\n": "\nhttp://:$port {\n\tbind 127.0.0.1\n",
            "127.0.0.1:5001": "127.0.0.1:$server_port",
        },
        command=("caddy", "run", "--adapter", "caddyfile", "--config", "$config"),
        variables={
            "HOME": "$folder", "XDG_DATA_HOME": "$folder",
            "XDG_CONFIG_HOME": "$folder",
        },
    ),
    "varnish": Kind(
        program="varnishd",
        package="varnish",
        file="varnish.vcl",
        replaced={'"5001"': '"$server_port"'},
        command=(
            "varnishd", "-F", "-j", "none", "-n", "$folder/work", "-T", "none", "-s", "malloc,32m",
            "-p", "backend_remote_error_holddown=0", "-a", "127.0.0.1:$port", "-f", "$config",
        ),
    ),
}  # fmt: skip


NODES = {"127.0.0.1:5001": "127.0.0.1:$server_port", "127.0.0.1:5002": "127.0.0.1:$second_port",
         "127.0.0.1:5003": "127.0.0.1:$third_port"}  # fmt: skip
CLUSTERS: dict[str, Kind] = {
    name: KINDS[name]._replace(file=file, replaced={**KINDS[name].replaced, **NODES})
    for name, file in (("nginx", "nginx-cluster.conf"), ("haproxy", "haproxy-cluster.cfg"))
}
"""The proxies in front of three nodes."""


class ReverseProxy:
    """Answering when the constructor returns; ended by `close`. `edit` changes the configuration's text for a test that
    wants to know what a line is good for. `text` is instead of the file of `deploy/`. With two `others` it is one of
    CLUSTERS."""

    def __init__(
        self, name: str, folder: Path, server_url: str, *others: str, edit: Edit | None = None, text: str = ""
    ) -> None:
        kind = (CLUSTERS if others else KINDS)[name]
        search = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
        program = shutil.which(kind.program, path=search)
        if program is None:
            missing.skip(f"{kind.package} is not installed: make packages")
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.port = ports.unused()
        self.url = f"http://127.0.0.1:{self.port}"
        config, main = folder / kind.file, folder / "main.conf"
        values = {"folder": folder, "port": self.port, "config": config, "main": main}
        for key, url in zip(("server_port", "second_port", "third_port"), (server_url, *others), strict=False):
            values[key] = urlsplit(url).port

        def fill(template: str) -> str:
            return Template(template).substitute(values)

        text = text or (DEPLOY / kind.file).read_text(encoding="utf-8")
        for literal, replacement in kind.replaced.items():
            assert literal in text, f"deploy/{kind.file} has no {literal!r}"
            text = text.replace(literal, fill(replacement))
        config.write_text(edit(text) if edit else text, encoding="utf-8")
        main.write_text(fill(kind.main), encoding="utf-8")
        self._output = (folder / "output").open("wb")
        self.process = subprocess.Popen(
            [program, *(fill(part) for part in kind.command[1:])],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment({name: fill(value) for name, value in kind.variables.items()}),
            start_new_session=True,  # its processes are one group, which `close` ends
        )
        try:
            self._until_it_listens()
        except BaseException:
            self.close()
            raise

    def connect(self) -> Connection:
        return Connection(self.url)

    @property
    def logged(self) -> str:
        """Everything it has written: its output and its logs, not what it was given."""
        files = [self.folder / "output", *self.folder.glob("*.log")]
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def close(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(STOP_S)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._output.close()

    def _until_it_listens(self) -> None:
        for _ in range(int(BOUND_S / 0.05)):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                pass
            try:
                self.process.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"the proxy did not start:\n{self.logged}")
