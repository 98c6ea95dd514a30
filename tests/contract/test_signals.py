"""The contract of `ports/signal.py` over every adapter. The numbers are those of its clauses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from contract.signal_harness import (
    BOUND_S,
    IMPATIENT,
    LIMITS,
    QUEUED,
    REMOTE,
    SERVERS,
    Node,
    RealServer,
    SignalServer,
    new_signal,
    open_and_close,
)
from ordertrack.adapters.postgres.signal import PostgresSignal
from ordertrack.adapters.redis.signal import RedisSignal
from ordertrack.adapters.shared.reconnecting_signal import SignalLimits
from ordertrack.ports.signal import CONTROL, MAX_MESSAGE_BYTES, Signal, SignalCannotOpen, SignalUnavailable
from servers.child import NotInstalled, free_port
from servers.fault_proxy import FaultProxy
from support.missing import skip

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[SignalServer]:
    # Not a folder of pytest: each run of pytest takes the rights of other users away, PostgreSQL's included.
    with TemporaryDirectory(prefix="ordertrack-") as folder:
        try:
            started = SERVERS[request.param](Path(folder))
        except NotInstalled as error:
            skip(str(error))
        with closing(started):
            yield started


@pytest.fixture
def proxy(server: RealServer) -> Iterator[FaultProxy]:
    with closing(FaultProxy(server.port)) as started:
        yield started


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex[:8]}"


NewNode = Callable[..., Awaitable[Node]]


@pytest.fixture
async def new_node(server: SignalServer, prefix: str) -> AsyncIterator[NewNode]:
    """Open a node that is closed after the test."""
    async with AsyncExitStack() as nodes:

        def new(limits: SignalLimits = LIMITS, *, prefix: str = prefix, proxy: FaultProxy | None = None):
            if proxy is None:
                signal = server.signal(prefix, limits)
            else:
                assert isinstance(server, RealServer)
                signal = server.through(proxy, prefix, limits)
            return nodes.enter_async_context(Node(signal))

        yield new


async def test_message_reaches_every_subscribed_node(new_node: NewNode) -> None:
    """Clauses 1 and 3."""
    a, b = await new_node(), await new_node()
    longest = "é" * (MAX_MESSAGE_BYTES // 2)
    for node in (a, b):
        await node.subscribe(0, CONTROL)
    a.signal.publish([(0, "first"), (CONTROL, longest)])
    for node in (a, b):
        await node.until_received((0, "first"), (CONTROL, longest))
        assert len(node.received) == 2
    assert a.signal.lost == b.signal.lost == 0


@pytest.mark.parametrize("is_interested", [True, False])
async def test_messages_of_a_publisher_stay_in_order(new_node: NewNode, is_interested: bool) -> None:
    """Clauses 2 to 4, also for a node that no message is of use to."""
    reader, *writers = [await new_node() for _ in range(3)]
    reader.is_interested = is_interested
    await reader.subscribe(1, 2)
    for number in range(0, 500, 5):
        for name, writer in enumerate(writers):
            writer.signal.publish([(channel, f"{name} {n}") for n in range(number, number + 5) for channel in (1, 2)])
        await asyncio.sleep(0)
    await reader.until(lambda: len(reader.received) == 2_000)
    for channel in (1, 2):
        for name in ("0", "1"):
            texts = [text for to, text in reader.received if to == channel and text.split()[0] == name]
            assert texts == [f"{name} {n}" for n in range(500)]


async def test_message_right_after_subscribe_is_received(new_node: NewNode) -> None:
    """Clause 3."""
    reader, writer = await new_node(), await new_node()
    for channel in range(0, CONTROL, 8):
        await reader.subscribe(channel)
        writer.signal.publish([(channel, "x")])
    await reader.until(lambda: len(reader.received) == CONTROL // 8)


async def test_nothing_outside_of_the_subscription(new_node: NewNode) -> None:
    """Clause 3."""
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(CONTROL)
    writer.signal.publish([(5, "before"), (CONTROL, "1")])
    await reader.until_received((CONTROL, "1"))
    await reader.subscribe(5)
    writer.signal.publish([(5, "within")])
    await reader.until_received((5, "within"))
    reader.signal.unsubscribe(5)
    writer.signal.publish([(5, "after"), (CONTROL, "2")])
    await reader.until_received((CONTROL, "2"))
    assert reader.received == [(CONTROL, "1"), (5, "within"), (CONTROL, "2")]


async def test_subscribe_right_after_unsubscribe(new_node: NewNode) -> None:
    """Clause 3."""
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(5)
    for number in range(20):
        reader.signal.unsubscribe(5)
        await reader.subscribe(5)
        writer.signal.publish([(5, str(number))])
        await reader.until_received((5, str(number)))


async def test_unsubscribe_during_a_subscription(new_node: NewNode) -> None:
    """Clause 3."""
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(CONTROL)
    subscribing = asyncio.create_task(reader.subscribe(5))
    await asyncio.sleep(0)
    reader.signal.unsubscribe(5)
    await subscribing
    writer.signal.publish([(5, "x"), (CONTROL, "y")])
    await reader.until_received((CONTROL, "y"))
    assert reader.received == [(CONTROL, "y")]


async def test_every_channel_at_once(new_node: NewNode) -> None:
    """Clauses 1 and 6."""
    reader, writer = await new_node(), await new_node()
    await asyncio.gather(*(reader.signal.subscribe(channel) for channel in range(CONTROL + 1)))
    writer.signal.publish([(channel, "x") for channel in range(CONTROL + 1)])
    await reader.until(lambda: len(reader.received) == CONTROL + 1)


@REMOTE
async def test_subscriptions_share_round_trips(new_node: NewNode, proxy: FaultProxy) -> None:
    """Clause 6: one after another would take longer than SUBSCRIBE_LIMIT_S."""
    reader = await new_node(proxy=proxy)
    proxy.delay(0.05)
    await asyncio.gather(*(reader.signal.subscribe(channel) for channel in range(CONTROL + 1)))


async def test_full_queue_drops_and_counts(new_node: NewNode) -> None:
    """Clause 2."""
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(3)
    writer.signal.publish([(3, str(number)) for number in range(QUEUED - 5)])
    writer.signal.publish([(3, str(number)) for number in range(QUEUED - 5, QUEUED + 5)])
    assert writer.signal.lost == 5
    await reader.until_received((3, str(QUEUED - 1)))
    assert len(reader.received) == QUEUED


async def test_prefixes_keep_clusters_apart(new_node: NewNode, prefix: str) -> None:
    """Clause 9, with prefixes that are longer than the name of a channel may be, and have to be quoted."""
    long = prefix + ' "' + "é" * 100
    nodes = [await new_node(prefix=long + end) for end in ("1", "2")]
    for node, text in zip(nodes, "12", strict=True):
        await node.subscribe(CONTROL)
        node.signal.publish([(CONTROL, text)])
    for node, text in zip(nodes, "12", strict=True):
        await node.until_received((CONTROL, text))
        node.signal.publish([(CONTROL, "end")])
    for node, text in zip(nodes, "12", strict=True):
        await node.until_received((CONTROL, "end"))
        assert node.received == [(CONTROL, text), (CONTROL, "end")]


async def test_restart_of_the_server(server: SignalServer, new_node: NewNode) -> None:
    """Clauses 2, 5, 6 and 8."""
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(3)
    assert reader.calls == ["restored"]
    assert reader.signal.trouble is None
    server.stop()
    try:
        for node in (reader, writer):
            await node.until_called("interrupted")
            assert node.signal.trouble is not None
        with pytest.raises(SignalUnavailable):
            await reader.signal.subscribe(3)
        writer.signal.publish([(3, "lost")])
        assert writer.signal.lost == 1
    finally:
        server.start()
    for node in (reader, writer):
        await node.until(lambda node=node: node.calls == ["restored", "interrupted", "restored"])
        assert node.signal.trouble is None
    await reader.subscribe(CONTROL)
    writer.signal.publish([(3, "not subscribed"), (CONTROL, "x")])
    await reader.until_received((CONTROL, "x"))
    assert reader.received == [(CONTROL, "x")]


@REMOTE
async def test_cut_connection_ends_subscriptions(new_node: NewNode, proxy: FaultProxy) -> None:
    """Clauses 5 and 6."""
    reader, writer = await new_node(proxy=proxy), await new_node()
    await reader.subscribe(3)
    proxy.refuse()
    proxy.cut()
    await reader.until_called("interrupted")
    with pytest.raises(SignalUnavailable):
        await reader.signal.subscribe(3)
    proxy.accept()
    await reader.until(lambda: reader.calls[1:] == ["interrupted", "restored"])
    await reader.subscribe(3)
    writer.signal.publish([(3, "x")])
    await reader.until_received((3, "x"))


@REMOTE
async def test_silent_connection_is_noticed(new_node: NewNode, proxy: FaultProxy) -> None:
    """Clauses 5, 6 and 7."""
    reader = await new_node(IMPATIENT, proxy=proxy)
    await reader.subscribe(3)
    proxy.hold()
    subscribing = asyncio.create_task(reader.signal.subscribe(4))
    await reader.until_called("interrupted")
    with pytest.raises(SignalUnavailable):
        await subscribing
    proxy.go_on()
    await reader.until(lambda: reader.calls[1:] == ["interrupted", "restored"])


@REMOTE
async def test_subscribe_ends_at_its_limit(new_node: NewNode, proxy: FaultProxy) -> None:
    """Clause 6."""
    reader = await new_node(SignalLimits(subscribe_s=0.1), proxy=proxy)
    proxy.hold()
    with pytest.raises(SignalUnavailable):
        await reader.signal.subscribe(4)
    assert reader.calls == ["restored"]


async def test_close_sends_what_is_queued(new_node: NewNode) -> None:
    reader, writer = await new_node(), await new_node()
    await reader.subscribe(3)
    writer.signal.publish([(3, str(number)) for number in range(QUEUED)])
    await writer.signal.close()
    await reader.until(lambda: len(reader.received) == QUEUED)
    assert writer.calls == ["restored"]


@REMOTE
async def test_close_ends_when_the_server_is_silent(new_node: NewNode, proxy: FaultProxy) -> None:
    writer = await new_node(proxy=proxy)
    proxy.hold()
    writer.signal.publish([(3, "x")])
    async with asyncio.timeout(BOUND_S):
        await writer.signal.close(0.1)
    assert writer.signal.lost == 1
    assert writer.calls == ["restored"]


@REMOTE
async def test_messages_flow_through_interruptions(new_node: NewNode, proxy: FaultProxy) -> None:
    """Clause 5: each interruption is followed by one restoration, however often the connection breaks."""
    reader, writer = await new_node(proxy=proxy), await new_node()
    for number in range(5):
        await reader.subscribe(3)
        writer.signal.publish([(3, str(number))])
        await reader.until_received((3, str(number)))
        proxy.cut()
        await reader.until(lambda number=number: reader.calls.count("restored") == number + 2)
    assert reader.calls == ["restored", *["interrupted", "restored"] * 5]


PASSWORD = "sesame-4711"


@REMOTE
async def test_unreachable_server_cannot_open(server: RealServer, prefix: str) -> None:
    port = free_port()
    signal = new_signal(server.url.replace(str(server.port), str(port)), prefix)
    with pytest.raises(SignalCannotOpen, match=f"127.0.0.1:{port} cannot be used: .*onnect"):
        await open_and_close(signal)


@REMOTE
async def test_silent_server_cannot_open(server: RealServer, proxy: FaultProxy, prefix: str) -> None:
    proxy.hold()
    with pytest.raises(SignalCannotOpen, match=f"127.0.0.1:{proxy.port} cannot be used"):
        await open_and_close(server.through(proxy, prefix, IMPATIENT))


@REMOTE
async def test_wrong_password_cannot_open(server: RealServer, prefix: str) -> None:
    url = (await asyncio.to_thread(server.guard, PASSWORD)).replace(PASSWORD, "sesame-0815")
    with pytest.raises(SignalCannotOpen, match="password") as error:
        await open_and_close(new_signal(url, prefix))
    assert "0815" not in str(error.value)


@pytest.mark.parametrize("make", [RedisSignal, PostgresSignal])
@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("mysql://guarded:{}@127.0.0.1/0", "must begin with (redis:// or rediss|postgresql:// or postgres)://"),
        ("{scheme}://guarded:{}/5@127.0.0.1/0", "percent-encode"),
        ("{scheme}://guarded:{}#5@127.0.0.1/0", "percent-encode"),
        ("{scheme}://guarded:{}@127.0.0.1:many/0", "not valid"),
        ("{scheme}://[guarded:{}@127.0.0.1/0", "not valid"),
    ],
)
async def test_wrong_url_cannot_open(make: Callable[..., Signal], rest: str, expected: str) -> None:
    scheme = "redis" if make is RedisSignal else "postgresql"
    with pytest.raises(SignalCannotOpen, match=expected) as error:
        await open_and_close(make(rest.format("4711", scheme=scheme), "test"))
    assert "4711" not in str(error.value)


@REMOTE
async def test_password_is_in_no_text(
    server: RealServer, proxy: FaultProxy, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Clause 8."""
    caplog.set_level("DEBUG")
    url = await asyncio.to_thread(server.guard, PASSWORD)
    async with Node(new_signal(url.replace(str(server.port), str(proxy.port)), prefix)) as node:
        proxy.refuse()
        proxy.cut()
        await node.until_called("interrupted")
        assert f"127.0.0.1:{proxy.port}: " in str(node.signal.trouble)
        proxy.accept()
        await node.until(lambda: node.calls[1:] == ["interrupted", "restored"])
        assert PASSWORD not in str(node.signal.trouble) + repr(node.signal) + caplog.text
