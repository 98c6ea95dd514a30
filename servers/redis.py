"""A Redis server of its own, without persistence, and a Redis Cluster. Valkey is started in the same way."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import redis

from servers.child import Child, answers, free_port, needed, program

SLOTS = 16_384


class Redis:
    """A running server. Raises: NotInstalled, DidNotStart."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.program = program("valkey-server") or needed("redis-server", "redis-server")
        self.port = free_port()
        self.folder = folder
        self._options: Sequence[str] = options
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, on the same port as before and empty."""
        self.child = Child(
            [str(self.program), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", str(self.folder), *self._options],
            self.folder / "log",
        )  # fmt: skip
        self.child.wait_until(lambda: answers(self.port, b"PING\r\n", b"+PONG"), "Redis")

    def pause(self) -> None:
        """Stop answering, with all connections open."""
        self.child.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.child.send(signal.SIGCONT)

    def kill(self) -> None:
        self.child.close()

    def close(self) -> None:
        self.child.close()


class RedisCluster:
    """A Redis Cluster of masters without replicas. Raises: NotInstalled, DidNotStart."""

    def __init__(self, folder: Path, masters: int = 3) -> None:
        self.servers: list[Redis] = []
        bus_ports = [free_port() for _ in range(masters)]
        try:
            for number, bus_port in enumerate(bus_ports):
                options = ("--cluster-enabled", "yes", "--cluster-port", str(bus_port))
                self.servers.append(Redis(folder / str(number), *options))
            for number, server in enumerate(self.servers):
                with client(server.port) as commands:
                    commands.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                    slots = number * SLOTS // masters, (number + 1) * SLOTS // masters - 1
                    commands.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
                    if server is not self.servers[0]:
                        commands.execute_command("CLUSTER MEET", "127.0.0.1", self.servers[0].port, bus_ports[0])
            self._wait_until_joined()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return self.servers[0].url

    def start(self) -> None:
        """Start all servers, on the same ports and with the same slots as before."""
        for server in self.servers:
            server.start()
        self._wait_until_joined()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def _wait_until_joined(self) -> None:
        for server in self.servers:
            server.child.wait_until(partial(self._is_joined, server.port), "Redis Cluster")

    def _is_joined(self, port: int) -> bool:
        with client(port) as commands:
            information = commands.execute_command("CLUSTER INFO")
            return information["cluster_state"] == "ok" and int(information["cluster_known_nodes"]) == len(self.servers)


def client(port: int) -> redis.Redis:
    """Return a client for commands to a server of this machine."""
    return redis.Redis(port=port, decode_responses=True)
