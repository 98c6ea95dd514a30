"""Notice lost messages: each node numbers its messages on every channel.

A gap between two numbers is a loss. The last message of a channel can be lost as well, so each node also reports its
numbers every second; a receiver that is still behind the report before the last one has lost something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


class Sequences:
    """The numbers of the messages that were received, by node and channel."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], int] = {}
        self._reported: dict[str, Mapping[int, int]] = {}

    def receive(self, node: str, channel: int, number: int) -> bool:
        """Record a message. Return True when messages before it were lost."""
        key = (node, channel)
        last = self._last.get(key)
        if last is None and node in self._reported:  # it had sent none on this channel at its last report
            last = 0
        if last is None or number > last:
            self._last[key] = number
        return last is not None and number > last + 1

    def report(self, node: str, numbers: Mapping[int, int]) -> list[int]:
        """Record a report: the number of the last message of each channel. Return the channels that lost messages.

        Messages on different channels may overtake each other, so a message is missed only at the report after the one
        that counts it. The first report of a node is where counting begins; channels that it leaves out are at 0.
        """
        last = self._last
        begins = node not in self._reported
        missed = [
            channel
            for channel, number in self._reported.get(node, {}).items()
            if last.get((node, channel), number) < number
        ]
        for channel in missed:
            last[node, channel] = self._reported[node][channel]
        for channel, number in numbers.items():
            last.setdefault((node, channel), number if begins else 0)
        self._reported[node] = numbers
        return missed

    def forget_node(self, node: str) -> None:
        for key in [key for key in self._last if key[0] == node]:
            del self._last[key]
        self._reported.pop(node, None)

    def keep_only(self, nodes: Collection[str]) -> None:
        """Forget all other nodes: one that has gone may still have sent messages, and one may have gone unseen."""
        for node in {node for node, _ in self._last} - set(nodes):
            self.forget_node(node)

    def clear(self) -> None:
        self._last.clear()
        self._reported.clear()
