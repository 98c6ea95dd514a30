"""The cap of a feed's held polls over several nodes."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from ordertrack.core.feed import order_feed
from ordertrack.core.places import FORGET_S, FRESH_S, REPEAT_S, Places

CAP = 10
FEED = order_feed(101)


class Node:
    """A node that holds polls as `hub.py` does: up to the cap, as far as it knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held = 0
        self.added = False
        self.places = Places(CAP, lambda feed: self.held)

    def hold(self) -> bool:
        if self.held + self.places.elsewhere(FEED) >= CAP:
            return False
        self.held += 1
        self.added = True
        return True


def exchange(nodes: list[Node], now_s: float) -> Counter[str]:
    """Let the nodes tell each other until there is nothing to tell; return how much each told."""
    told: Counter[str] = Counter()
    for node in nodes:
        node.places.added([FEED] if node.added else [], now_s)
        node.added = False
    for _ in range(20):
        news = [(node, held) for node in nodes for held in node.places.to_tell([FEED], now_s)]
        if not news:
            return told
        for sender, held in news:
            told[sender.name] += 1
            for node in nodes:
                if node is not sender:
                    node.held -= node.places.receive(sender.name, held, now_s, yields=node.name > sender.name)
    raise AssertionError("the nodes never come to an end")


def cluster(size: int) -> list[Node]:
    nodes = [Node(f"n{number}") for number in range(size)]
    for node in nodes:
        node.places.set_nodes(size)
    return nodes


def test_polls_within_the_allowance_cost_no_message():
    nodes = cluster(3)
    for node in nodes:
        node.held = (CAP - 1) // 3
    assert not exchange(nodes, 0)


def test_a_full_node_leaves_no_place_elsewhere():
    nodes = cluster(3)
    for _ in range(CAP):
        assert nodes[0].hold()
    exchange(nodes, 0)
    assert not any(node.hold() for node in nodes)


def test_the_eleventh_poll_is_refused_on_every_node():
    nodes = cluster(3)
    for number in range(CAP):
        assert nodes[number % 3].hold()
        exchange(nodes, number)
    assert not any(node.hold() for node in nodes)


def test_a_place_that_becomes_free_is_given_to_another_node():
    nodes = cluster(3)
    for _ in range(CAP):
        nodes[0].hold()
    exchange(nodes, 0)
    nodes[0].held -= 1
    exchange(nodes, 0)
    assert nodes[2].hold()


def test_polls_at_the_same_time_yield_to_the_cap():
    nodes = cluster(3)
    for node in nodes:
        while node.hold():
            pass
    assert sum(node.held for node in nodes) == 3 * CAP
    exchange(nodes, 0)
    assert 0 < sum(node.held for node in nodes) <= CAP


def test_older_polls_do_not_yield():
    first, second = cluster(2)
    for _ in range(CAP):
        first.hold()
    exchange([first, second], 0)
    second.places.forget_node(first.name)
    assert second.hold()
    first.places.repeat()
    exchange([first, second], FRESH_S * 3)
    assert (first.held, second.held) == (CAP, 0)


def test_places_of_a_silent_node_are_forgotten():
    first, second = cluster(2)
    for _ in range(CAP):
        first.hold()
    exchange([first, second], 0)
    second.places.to_tell([], FORGET_S + 1)
    assert second.hold()


def test_what_is_told_is_repeated_before_it_is_forgotten():
    first, second = cluster(2)
    for _ in range(CAP):
        first.hold()
    exchange([first, second], 0)
    for beat in range(1, 6):
        exchange([first, second], beat * REPEAT_S)
    assert not second.hold()


def test_nothing_is_told_once_all_are_within_the_allowance():
    nodes = cluster(3)
    for _ in range(CAP):
        nodes[0].hold()
    exchange(nodes, 0)
    nodes[0].held = 1
    exchange(nodes, 1)
    assert not exchange(nodes, 1 + REPEAT_S)
    assert nodes[1].places.elsewhere(FEED) == 0


def test_a_smaller_allowance_is_reported():
    places = Places(CAP, lambda feed: 0)
    assert places.set_nodes(3)
    assert not places.set_nodes(2)


class PlacesMachine(RuleBasedStateMachine):
    """Polls come and go on any node; what is told arrives at once, every half second."""

    nodes = Bundle("nodes")

    @initialize(size=st.integers(2, 5))
    def start(self, size: int) -> None:
        self.all = cluster(size)
        self.now_s = 0.0

    @rule(number=st.integers(0, 4))
    def hold(self, number: int) -> None:
        self.all[number % len(self.all)].hold()

    @rule(number=st.integers(0, 4))
    def end(self, number: int) -> None:
        node = self.all[number % len(self.all)]
        node.held = max(0, node.held - 1)

    @rule()
    def exchange(self) -> None:
        self.now_s += 0.5
        exchange(self.all, self.now_s)
        assert sum(node.held for node in self.all) <= CAP
        if sum(node.held for node in self.all) == CAP:
            assert not any(node.hold() for node in self.all)

    @invariant()
    def no_node_exceeds_the_cap(self) -> None:
        assert all(node.held <= CAP for node in self.all)


TestPlacesMachine = PlacesMachine.TestCase
TestPlacesMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
