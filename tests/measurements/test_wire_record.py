"""The record of requests and answers in front of a server, and the clients that it is made of."""

from __future__ import annotations

import pytest

from bench.measures.battery import SOURCES, Disagreement, Strategy, check_agreement, follow_all
from bench.radio import Transmission
from bench.wire_record import Exchange, Piece, WireRecord, exchanges, transmissions
from support import missing


def test_pieces_of_one_connection_alternate():
    pieces = [
        Piece(10.0, 0, True, 100),
        Piece(10.1, 0, True, 20),
        Piece(12.0, 0, False, 500),
        Piece(12.2, 0, False, 300),
        Piece(12.3, 0, True, 90),
        Piece(15.0, 0, False, 400),
    ]
    assert exchanges(pieces) == [
        Exchange(10.0, 10.1, 12.0, 12.2, 120, 800),
        Exchange(12.3, 12.3, 15.0, 15.0, 90, 400),
    ]


def test_connections_are_told_apart():
    pieces = [Piece(1, 0, True, 10), Piece(2, 1, True, 11), Piece(3, 0, False, 12), Piece(4, 1, False, 13)]
    assert exchanges(pieces) == [Exchange(1, 1, 3, 3, 10, 12), Exchange(2, 2, 4, 4, 11, 13)]


def test_request_without_an_answer_is_unanswered():
    found = exchanges([Piece(1, 0, True, 10), Piece(71, 0, True, 0), Piece(72, 1, True, 10), Piece(73, 1, False, 20)])
    assert [exchange.is_unanswered for exchange in found] == [True, False]


def test_times_are_scaled_back():
    found = [Exchange(105.0, 105.0, 107.0, 107.1, 1, 1), Exchange(108.0, 108.0, None, None, 1, 0)]
    expected = [(50, 50), (70, 71), (80, 80)]
    for seen, times in zip(transmissions(found, started_s=100, speed=10), expected, strict=True):
        assert seen == Transmission(*map(pytest.approx, times))


def test_silent_path_forgets_a_connection():
    times_s = iter((0.0, 55.0, 56.0, 117.0, 118.0, 119.0))
    record = WireRecord(forgets_after_s=60, clock=times_s.__next__)
    passed = [record.note(0, is_sent, b"x") for is_sent in (True, False, True, False, True)]
    assert passed == [True, True, True, False, False]
    assert record.note(1, True, b"x"), "a new connection is forwarded"
    assert [piece.at_s for piece in record.pieces] == [0, 55, 56, 118, 119]


@pytest.mark.parametrize("starts_s", [(1.0,), (1.0, 9.0)])
def test_client_and_wire_must_agree(starts_s: tuple[float, ...]):
    found = [Exchange(1, 1, 2, 2, 1, 1), Exchange(3, 3, 4, 4, 1, 1)]
    with pytest.raises(Disagreement):
        check_agreement("client", found, starts_s)


def test_clients_follow_simulated_orders():
    missing.needs("node")
    assert all(source.exists() for source in SOURCES.values())
    strategies = [
        Strategy(("original",), client="original"),
        Strategy(("sdk", "sdk again"), options={"pace": {"marginS": 6_000}}),  # 5 s of the machine
    ]
    followed = follow_all(strategies, speed=1_200)
    assert set(followed) == {"original", "sdk", "sdk again"}
    for order in followed.values():
        assert set(order.statuses) == {200}
        assert len(order.late_s) == 4
