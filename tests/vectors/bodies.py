"""Framing of bodies (RFC 9112, 6 and 7), and fields about the connection: Connection, Upgrade, Expect, TE."""

from __future__ import annotations

from vectors.messages import (
    BULK_PATH,
    CHUNKED,
    CREATE,
    HARM,
    JSON,
    NEW,
    ORDER,
    POLL_TARGET,
    SAME,
    SMUGGLED,
    TRACK,
    chunked,
    create,
    get,
    harm,
    length,
    put,
)
from vectors.outcomes import UNFINISHED, Vector, bad_coding, declined, refused, served, served_last

_N = len(SAME)
_BULK = b'{"updates": [{"order_id": 101, "status": "confirmed"}]}'
assert len(HARM) == _N == 23, "some lengths below are written out"


def _length(value: bytes) -> bytes:
    return b"Content-Length: " + value


LENGTHS = [
    *(
        Vector(f"length {value!r}", put(_length(value)), served())
        for value in (b"%d" % _N, b"00%d" % _N, b"  %d  " % _N, b"\t%d\t" % _N)
    ),
    Vector("bulk update", get(JSON, length(_BULK), method=b"POST", target=BULK_PATH) + _BULK, served()),
    Vector("no space before a length", put(b"Content-Length:%d" % _N), served()),
    Vector("GET with length 0", get(b"Content-Length: 0"), served()),
    Vector("GET with a body", get(length(SMUGGLED)) + SMUGGLED, served()),
    Vector("HEAD with a body", get(length(SMUGGLED), method=b"HEAD") + SMUGGLED, served()),
    Vector("OPTIONS with a body", get(length(SMUGGLED), method=b"OPTIONS") + SMUGGLED, served(204)),
    Vector("poll with a body", get(length(SMUGGLED), target=POLL_TARGET) + SMUGGLED, served()),
    Vector(
        "DELETE with a body",
        get(length(SMUGGLED), method=b"DELETE", target=ORDER + b"/simulate-workflow") + SMUGGLED,
        served(404),
    ),
    Vector("unknown path with a body", get(length(SMUGGLED), target=b"/nowhere") + SMUGGLED, served(404)),
    Vector("wrong method with a body", get(length(SMUGGLED), method=b"POST") + SMUGGLED, served(405)),
    Vector("no media type", get(length(SMUGGLED), method=b"POST", target=CREATE) + SMUGGLED, served(415)),
    Vector("a body that is a request", put(length(SMUGGLED), body=SMUGGLED), served(400)),
    Vector("CRLF after a body", put(length(SAME)) + b"\r\n", served()),
    Vector("HTTP/1.0 create", create(length(NEW), version=b"HTTP/1.0"), served_last(201)),
    *(
        Vector(f"length {value!r}", harm(_length(value)), refused(400))
        for value in (
            b"", b"+%d" % _N, b"-%d" % _N, b"-0", b"-1", b"0x17", b"17h", b"%d, %d" % (_N, _N), b"%d,%d" % (_N, _N),
            b"%d," % _N, b",%d" % _N, b"%d;" % _N, b"2 3", b"%d %d" % (_N, _N), b"2_3", b"23.0", b"2.3e1", b"1e1",
            b'"23"', b"abc", b"\x0b23", b"23\x0c", b"23\x00", "２３".encode(), "²³".encode(), "٢٣".encode(), b"nan",
            b"infinity", b"0b11", b"0o27",
        )
    ),
    Vector("GET with length +0", get(_length(b"+0")), refused(400)),
    Vector("poll with length -1", get(_length(b"-1"), target=TRACK), refused(400)),
    Vector("poll with length 0x0", get(_length(b"0x0"), target=TRACK), refused(400)),
    Vector("the same length twice", harm(_length(b"%d" % _N), _length(b"%d" % _N)), refused(400)),
    Vector("two lengths", harm(_length(b"%d" % _N), _length(b"0")) + SMUGGLED, refused(400)),
    Vector("two lengths, the first is 0", harm(_length(b"0"), b"content-length: %d" % _N), refused(400)),
    Vector("poll with the same length twice", get(_length(b"0"), _length(b"0"), target=TRACK), refused(400)),
    Vector("space before the colon of a length", harm(b"Content-Length : %d" % _N), refused(400)),
    Vector("NUL in the name of a length", harm(b"Content-Length\x00: %d" % _N), refused(400)),
    Vector("non-ASCII in the name of a length", harm(b"Content-Length\xff: %d" % _N, length(HARM)), refused(400)),
    Vector("CR in the name of a length", harm(b"Content\rLength: %d" % _N), refused(400)),
    Vector("length with a folded value", harm(b"Content-Length: 1\r\n 2"), refused(400)),
    *(
        Vector(f"length {value.decode()}", put(_length(value), body=b""), refused(400, 413))
        for value in (b"1" + b"0" * 21, b"%d" % (2**64 + _N), b"%d" % (2**63), b"9" * 5_000)
    ),
    Vector("length 65,537", put(_length(b"65537"), body=b""), refused(413)),
    Vector("bulk length 1,048,577", get(JSON, _length(b"1048577"), method=b"POST", target=BULK_PATH), refused(413)),
]  # fmt: skip


def _coded(coding: bytes, body: bytes = chunked(HARM)) -> bytes:
    return harm(b"Transfer-Encoding: " + coding, body=body)


CODINGS = [
    *(
        Vector(f"coding {coding!r}", put(b"Transfer-Encoding:" + coding, body=chunked(SAME)), served())
        for coding in (b" chunked", b"chunked", b" Chunked", b" CHUNKED", b"\tchunked\t")
    ),
    *(
        Vector(f"coding {coding!r}", _coded(coding), bad_coding(501))
        for coding in (
            b"gzip, chunked", b"gzip,chunked", b"identity, chunked", b"deflate, chunked", b"pigeons, chunked",
        )
    ),
    *(
        Vector(f"coding {coding!r}", _coded(coding), bad_coding(400))
        for coding in (
            b"gzip", b"identity", b"xchunked", b"chunkedx", b"chunkedchunked", b"pigeons", b"chunked, identity",
            b"chunked, gzip", b"chunked,chunked", b"chunked, chunked",
        )
    ),
    *(
        Vector(f"coding {coding!r}", _coded(coding), bad_coding(400, 501))
        for coding in (
            b"", b"chunked;q=1", b'"chunked"', b"'chunked'", b"chu nked", b"chunked,", b",chunked", b"[chunked]",
            b"\xa0chunked", b"chunked\xa0", b"identity, chunked, identity, chunked", "ｃｈｕｎｋｅｄ".encode(),
        )
    ),
    *(
        Vector(f"coding {coding!r}", _coded(coding), refused(400))
        for coding in (b"\x0bchunked", b"chunked\x0c", b"chunked\x00", b"chunked\rX: y", b"chunked\n", b"\r\n chunked")
    ),
    Vector("chunked twice", harm(CHUNKED, CHUNKED, body=chunked(HARM)), bad_coding(400)),
    Vector("chunked and then gzip", harm(CHUNKED, b"Transfer-Encoding: gzip", body=chunked(HARM)), bad_coding(400)),
    Vector("gzip and then chunked", harm(b"Transfer-Encoding: gzip", CHUNKED, body=chunked(HARM)), bad_coding(501)),
    Vector("space after a coding's name", harm(b"Transfer-Encoding : chunked", body=chunked(HARM)), refused(400)),
    Vector("NUL in the name of a coding", harm(b"Transfer-Encoding\x00: chunked", body=chunked(HARM)), refused(400)),
    Vector("coding hidden by LF", harm(b"X: y\nTransfer-Encoding: chunked", body=chunked(HARM)), refused(400)),
    Vector("coding hidden by CR", harm(b"X: y\rTransfer-Encoding: chunked", body=chunked(HARM)), refused(400)),
    Vector("poll with gzip, chunked", get(b"Transfer-Encoding: gzip", CHUNKED, target=TRACK), bad_coding(501)),
    Vector("poll with gzip", get(b"Transfer-Encoding: gzip", target=TRACK) + chunked(), bad_coding(400)),
    Vector("HTTP/1.0 chunked", harm(CHUNKED, body=chunked(HARM), version=b"HTTP/1.0"), bad_coding(400)),
    Vector("CL.TE", harm(length(chunked() + SMUGGLED), CHUNKED, body=chunked() + SMUGGLED), refused(400)),
    Vector("TE.CL", harm(CHUNKED, _length(b"4"), body=chunked(SMUGGLED)), refused(400)),
    Vector("length 0 and chunked", harm(_length(b"0"), CHUNKED, body=chunked(HARM)), refused(400)),
    Vector("fitting length and chunked", harm(length(chunked(HARM)), CHUNKED, body=chunked(HARM)), refused(400)),
    Vector("length and identity", harm(length(HARM), b"Transfer-Encoding: identity"), bad_coding(400, 501)),
    Vector("length and xchunked", harm(length(HARM), b"Transfer-Encoding: xchunked"), bad_coding(400, 501)),
    Vector("poll with CL.TE", get(_length(b"5"), CHUNKED, target=TRACK) + chunked() + SMUGGLED, refused(400)),
]  # fmt: skip


def _chunks(body: bytes) -> bytes:
    return put(CHUNKED, body=body)


def _bad_chunks(body: bytes) -> bytes:
    return harm(CHUNKED, body=body)


_HEX = b"%x" % _N
_LAST = b"\r\n0\r\n\r\n"

CHUNKS = [
    Vector("one chunk", _chunks(chunked(SAME)), served()),
    Vector("a chunk per byte", _chunks(chunked(*(b"%c" % byte for byte in SAME))), served()),
    Vector("chunks on POST", create(CHUNKED, body=chunked(NEW)), served(201)),
    Vector("chunks on a poll", get(CHUNKED, target=POLL_TARGET) + chunked(SMUGGLED), served()),
    Vector("chunks on a GET", get(CHUNKED) + chunked(SMUGGLED), served()),
    Vector("chunks on HEAD", get(CHUNKED, method=b"HEAD") + chunked(SMUGGLED), served()),
    Vector("no chunk", get(CHUNKED) + chunked(), served()),
    Vector("a chunk that is a request", _chunks(chunked(SMUGGLED)), served(400)),
    *(
        Vector(f"chunk size {size!r}", _chunks(size + b"\r\n" + SAME + _LAST), served())
        for size in (
            _HEX, b"00" + _HEX, _HEX + b";name", _HEX + b";name=value", _HEX + b'; name="a; b"',
            _HEX + b';a=1;b="\\"quoted\\"";c', _HEX + b";x=\xe9", _HEX + b" ;a", _HEX + b"; a = b",
        )
    ),
    *(
        Vector(f"chunk size {size.decode()}", _chunks(size + b"\r\n" + SAME.ljust(0x2A) + _LAST), served())
        for size in (b"2a", b"2A", b"0000002a")
    ),
    Vector("last chunk 000", _chunks(_HEX + b"\r\n" + SAME + b"\r\n000\r\n\r\n"), served()),
    Vector("last chunk with an extension", _chunks(_HEX + b"\r\n" + SAME + b"\r\n0;name=value\r\n\r\n"), served()),
    Vector("trailers", _chunks(chunked(SAME, trailers=b"X-Sum: 1\r\nX-Other:\r\n")), served()),
    Vector("Content-Length as a trailer", _chunks(chunked(SAME, trailers=b"Content-Length: 9\r\n")), served()),
    *(
        Vector(f"chunk size {size!r}", _bad_chunks(size + b"\r\n" + HARM + _LAST), refused(400))
        for size in (
            b"", b" " + _HEX, b"\t" + _HEX, _HEX + b" ", _HEX + b"\t", b"+" + _HEX, b"-" + _HEX, b"0x" + _HEX, b"1_7",
            b"g", _HEX + b"g", b"1 7", b";name", b" ;name", _HEX + b"\x00", b"\x00" + _HEX, _HEX + b",", b'"17"',
            _HEX + b"\r", b"\r" + _HEX, b"\n" + _HEX, _HEX + b"\xff", "１７".encode(),
            _HEX + b";a\nb", _HEX + b";a\rb", _HEX + b";a\x00b", _HEX + b";a\x7fb", _HEX + b"\r\r;a", _HEX + b"\n;a",
        )
    ),
    *(
        Vector(f"end of a chunk {end!r}", _bad_chunks(_HEX + b"\r\n" + HARM + end), refused(400))
        for end in (start + b"0\r\n\r\n" for start in (b"\n", b"\r", b"", b"X\r\n", b"\r\r\n", b"\n\r"))
    ),
    Vector("LF after a chunk size", _bad_chunks(_HEX + b"\n" + HARM + _LAST), refused(400)),
    Vector("chunk size too small", _bad_chunks(b"5\r\n" + HARM + _LAST), refused(400)),
    Vector("chunk size too large", _bad_chunks(b"18\r\n" + HARM + _LAST), refused(400)),
    Vector("only LF in chunks", _bad_chunks(_HEX + b"\n" + HARM + b"\n0\n\n"), refused(400)),
    Vector("LF after the last chunk", _bad_chunks(_HEX + b"\r\n" + HARM + b"\r\n0\n\r\n"), refused(400)),
    Vector("LF as the end of trailers", _bad_chunks(_HEX + b"\r\n" + HARM + b"\r\n0\r\n\n"), refused(400)),
    Vector("space before the last chunk", _bad_chunks(_HEX + b"\r\n" + HARM + b"\r\n 0\r\n\r\n"), refused(400)),
    Vector("space after the last chunk", _bad_chunks(_HEX + b"\r\n" + HARM + b"\r\n0 \r\n\r\n"), refused(400)),
    *(
        Vector(f"trailer {trailer!r}", _bad_chunks(chunked(HARM, trailers=trailer)), refused(400))
        for trailer in (
            b"X-Sum\r\n", b"X-Sum : 1\r\n", b"X-Sum: 1\r\n folded\r\n", b" X-Sum: 1\r\n", b": 1\r\n",
            b"X-Sum: a\x00b\r\n", b"X-Sum: a\n", b"X-Sum: a\nX: b\r\n", b"X-Sum: a\rb\r\n", b"X\x01: a\r\n",
            b"X: \x7f\r\n", b"GET /healthz HTTP/1.1\r\nHost: t\r\n",
        )
    ),
    *(
        Vector(f"chunk size {size.decode()}", _bad_chunks(size + b"\r\n" + HARM + _LAST), refused(400, 413))
        for size in (
            b"f" * 16, b"f" * 17, b"1" + b"0" * 14 + _HEX, b"1" + b"0" * 18 + _HEX, b"7" + b"f" * 15, b"8" + b"0" * 15,
            b"80000000", b"ffffffff", b"1000000" + _HEX, b"0" * 5_000 + _HEX,
        )
    ),
    *(
        Vector(name, _bad_chunks(body), refused(400, 413, 431))
        for name, body in (
            ("chunk extension of 20,000 bytes", _HEX + b";" + b"x" * 20_000 + b"\r\n" + HARM + _LAST),
            ("chunk extensions of 160,000 bytes", (b"1;" + b"x" * 4_000 + b"\r\n \r\n") * 40 + chunked(HARM)),
            ("trailer of 20,000 bytes", chunked(HARM, trailers=b"X-Sum: " + b"x" * 20_000 + b"\r\n")),
            ("3,000 trailers", chunked(HARM, trailers=b"X: y\r\n" * 3_000)),
        )
    ),
]  # fmt: skip

_UPGRADE = (b"Connection: Upgrade", b"Upgrade: x")
_H2C = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
)
_WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
    b"Sec-WebSocket-Version: 13",
)

HOP_BY_HOP = [
    *(
        Vector(f"Upgrade to {name}: {what}", request, outcome)
        for name, fields in (("x", _UPGRADE), ("h2c", _H2C), ("WebSocket", _WEBSOCKET))
        for what, request, outcome in (
            ("order", get(*fields), served()),
            ("poll", get(*fields, target=POLL_TARGET), served()),
            ("update", put(*fields, length(SAME)), served()),
            ("update in chunks", put(*fields, CHUNKED, body=chunked(SAME)), served()),
            ("create", create(*fields, length(NEW)), served(201)),
            ("a body that is a request", put(*fields, length(SMUGGLED), body=SMUGGLED), served(400)),
            ("poll with a request as body", get(*fields, length(SMUGGLED), target=POLL_TARGET) + SMUGGLED, served()),
        )
    ),
    Vector("Upgrade without Connection", put(b"Upgrade: x", length(SMUGGLED), body=SMUGGLED), served(400)),
    *(
        Vector(f"Expect: {value.decode()}", put(b"Expect: " + value, length(SAME)), served())
        for value in (b"100-continue", b"100-Continue")
    ),
    Vector("Expect: 100-continue for chunks", put(b"Expect: 100-continue", CHUNKED, body=chunked(SAME)), served()),
    Vector("Expect: 100-continue without a body", get(b"Expect: 100-continue"), served()),
    Vector("Expect: 100-continue of a poll", get(b"Expect: 100-continue", target=POLL_TARGET), served()),
    Vector("HTTP/1.0 Expect", put(b"Expect: 100-continue", length(SAME), version=b"HTTP/1.0"), served_last()),
    *(
        Vector(f"Expect: {value.decode()}", harm(b"Expect: " + value, length(HARM)), declined(417))
        for value in (b"200-ok", b"100-continue, 200-ok", b"100", b"100-continue=1")
    ),
    Vector("poll with an unknown expectation", get(b"Expect: x", target=TRACK), declined(417)),
    *(
        Vector(f"Connection: {value.decode()} {name}", request, served_last())
        for value in (b"close", b"Close", b"close, te", b"te , CLOSE", b"keep-alive, close", b"\tclose\t")
        for name, request in (
            ("order", get(b"Connection: " + value)),
            ("poll", get(b"Connection: " + value, target=POLL_TARGET)),
            ("update", put(b"Connection: " + value, length(SAME))),
        )
    ),
    Vector("close in a second Connection field", get(b"Connection: te", b"Connection: close"), served_last()),
    Vector("Connection: keep-alive", get(b"Connection: keep-alive"), served()),
    Vector("Connection: closed", get(b"Connection: closed"), served()),
    Vector("Connection of empty elements", get(b"Connection: , ,"), served()),
    Vector("Proxy-Connection: close", get(b"Proxy-Connection: close"), served()),
    Vector("TE: trailers", get(b"TE: trailers, deflate;q=0.5", b"Connection: TE"), served()),
    Vector("Trailer announced", put(CHUNKED, b"Trailer: X", body=chunked(SAME, trailers=b"X: 1\r\n")), served()),
]  # fmt: skip

_WHOLE = harm(length(HARM))
_WHOLE_CHUNKED = _bad_chunks(chunked(HARM[:9], HARM[9:], trailers=b"X-Sum: 1\r\n"))
UNFINISHED_REQUESTS = [
    *(
        Vector(f"update without its last {missing} bytes", _WHOLE[:-missing], UNFINISHED, alone=True)
        for missing in (1, 2, _N - 1, _N, _N + 1, _N + 2, _N + 4, _N + 30, len(_WHOLE) - 1)
    ),
    *(
        Vector(f"chunked update without its last {missing} bytes", _WHOLE_CHUNKED[:-missing], UNFINISHED, alone=True)
        for missing in (1, 2, 3, 5, 12, 13, 14, 15, 16, 17, 18, 30, 34, 40, 50)
    ),
    Vector("poll without the end of its head", get(target=TRACK)[:-2], UNFINISHED, alone=True),
    Vector("nothing but CRLF", b"\r\n\r\n", UNFINISHED, alone=True),
    Vector("nothing", b"", UNFINISHED, alone=True),
]  # fmt: skip

BODIES = [*LENGTHS, *CODINGS, *CHUNKS, *HOP_BY_HOP, *UNFINISHED_REQUESTS]
