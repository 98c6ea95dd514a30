"""nginx in front of three nodes, with the configuration of `deploy/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from servers.child import Child, answers, free_port, needed

CONFIG = Path(__file__).parents[1] / "deploy" / "nginx-cluster.conf"
FIRST_NODE_PORT = 5001
"""The ports of the nodes in CONFIG follow each other."""
MAIN = """
daemon off; user root; worker_processes 2; pid $folder/pid; error_log $folder/error.log info;
worker_rlimit_nofile 50000;
events { worker_connections 25000; }
http {
    access_log $folder/access.log;
    client_body_temp_path $folder/body; proxy_temp_path $folder/proxy; fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
    gzip on;
    include $config;
}
"""
"""The main configuration: `$folder` is for files of the process, `$config` the file of `deploy/`."""


class Nginx:
    """A running proxy in front of the nodes on these three ports. Raises: NotInstalled, DidNotStart."""

    def __init__(self, folder: Path, node_ports: Sequence[int]) -> None:
        program = needed("nginx", "nginx")
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.read_text(encoding="utf-8").replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        for number, port in enumerate(node_ports):
            text = text.replace(f"127.0.0.1:{FIRST_NODE_PORT + number}", f"127.0.0.1:{port}")
        config, main = folder / "cluster.conf", folder / "nginx.conf"
        config.write_text(text, encoding="utf-8")
        main.write_text(Template(MAIN).substitute(folder=folder, config=config), encoding="utf-8")
        command = [str(program), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main)]
        self.child = Child(command, folder / "log")
        self.child.wait_until(lambda: answers(self.port), "nginx")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.child.stop()
