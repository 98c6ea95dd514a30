"""Faults and functions of a signal that only Redis has: buffers, rights to channels, slots of a cluster, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contract.signal_harness import IMPATIENT, LIMITS, Node, new_signal, open_and_close
from ordertrack.ports.signal import CONTROL, SignalCannotOpen
from servers.child import NotInstalled, free_port
from servers.redis import Redis, RedisCluster, client
from support.missing import skip

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    try:
        started = Redis(tmp_path / "redis")
    except NotInstalled as error:
        skip(str(error))
    with closing(started):
        yield started


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    try:
        started = RedisCluster(tmp_path_factory.mktemp("cluster"))
    except NotInstalled as error:
        skip(str(error))
    with closing(started):
        yield started


async def test_paused_server_is_noticed(server: Redis) -> None:
    async with Node(new_signal(server.url, "test", IMPATIENT)) as node:
        server.pause()
        try:
            await node.until_called("interrupted")
        finally:
            server.go_on()
        await node.until(lambda: node.calls == ["restored", "interrupted", "restored"])


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_killed_connection_is_made_again(server: Redis, kind: str) -> None:
    """The subscription, and the connection that publishes."""
    async with Node(new_signal(server.url, "test", LIMITS)) as node:
        await node.subscribe(3)
        with client(server.port) as commands:
            assert commands.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes") == 1
        await node.until(lambda: node.calls == ["restored", "interrupted", "restored"])
        await node.subscribe(3)
        node.signal.publish([(3, "x")])
        await node.until_received((3, "x"))


async def test_slow_node_is_interrupted(server: Redis) -> None:
    """Redis closes a subscription whose messages are not read."""
    with client(server.port) as commands:
        commands.config_set("client-output-buffer-limit", "pubsub 100kb 0 0")
        async with Node(new_signal(server.url, "test", LIMITS)) as node:
            await node.subscribe(3)
            while commands.publish("test:3", "x" * 7_000):  # the node reads nothing meanwhile
                pass
            await node.until(lambda: node.calls == ["restored", "interrupted", "restored"])


async def test_user_without_channels_cannot_open(server: Redis) -> None:
    with client(server.port) as commands:
        commands.execute_command("ACL", "SETUSER", "limited", "on", ">x", "+@all", "resetchannels", "&other:*")
    url = server.url.replace("//", "//limited:x@")
    with pytest.raises(SignalCannotOpen, match="NOPERM"):
        await open_and_close(new_signal(url, "test"))
    await open_and_close(new_signal(url, "other"))


async def test_channels_are_spread_over_the_cluster(cluster: RedisCluster) -> None:
    async with Node(new_signal(cluster.url, "test", LIMITS)) as node:
        await asyncio.gather(*(node.signal.subscribe(channel) for channel in range(CONTROL + 1)))
        counts = []
        for server in cluster.servers:
            with client(server.port) as commands:
                counts.append(len(commands.execute_command("PUBSUB", "SHARDCHANNELS")))
        assert sum(counts) == CONTROL + 1
        assert min(counts) > CONTROL // 6


async def test_second_connection_refused_closes_the_first(server: Redis) -> None:
    with client(server.port) as commands:
        commands.config_set("maxclients", 2)
        with pytest.raises(SignalCannotOpen, match="cannot be used"):
            await open_and_close(new_signal(server.url, "test"))
        commands.config_set("maxclients", 100)
        async with Node(new_signal(server.url, "test")):
            assert len(commands.client_list()) == 3


async def test_unknown_option_cannot_open() -> None:
    with pytest.raises(SignalCannotOpen, match="check its port and options"):
        await open_and_close(new_signal("redis://guarded:4711@127.0.0.1?colour=red", "test"))


async def test_moved_slot_is_followed(cluster: RedisCluster) -> None:
    async with Node(new_signal(cluster.url, "test", LIMITS)) as node:
        await node.subscribe(3)
        move_slot_of("test:3", cluster)
        await node.until(lambda: node.calls[-2:] == ["interrupted", "restored"])
        await node.subscribe(3)
        node.signal.publish([(3, "x")])
        await node.until_received((3, "x"))


def move_slot_of(channel: str, cluster: RedisCluster) -> None:
    """Give the slot to another server, and tell all of them."""
    with ExitStack() as clients:
        servers = [clients.enter_context(client(server.port)) for server in cluster.servers]
        slot = servers[0].execute_command("CLUSTER", "KEYSLOT", channel)
        (target, *_) = [server for server in servers if not server.execute_command("PUBSUB", "SHARDCHANNELS", channel)]
        target_id = target.execute_command("CLUSTER", "MYID")
        for server in [target, *(server for server in servers if server is not target)]:
            server.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def test_tls_checks_the_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    port = free_port()
    options = ("--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no")
    try:
        started = Redis(tmp_path / "redis", *map(str, options), "--tls-ca-cert-file", str(certificate))
    except NotInstalled as error:
        skip(str(error))
    with closing(started):
        url = f"rediss://127.0.0.1:{port}"
        with pytest.raises(SignalCannotOpen, match="certificate verify failed"):
            await open_and_close(new_signal(url, "test"))
        async with Node(new_signal(f"{url}?ssl_ca_certs={certificate}", "test")) as node:
            await node.subscribe(3)
            node.signal.publish([(3, "x")])
            await node.until_received((3, "x"))


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
