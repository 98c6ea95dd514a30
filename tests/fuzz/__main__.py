"""Mutated requests and tokens, for as long as you like: `make fuzz MINUTES=60`.

Four targets, each with a property that holds for any bytes:

* head: what the gate takes for a request of its own, another strict parser (h11) reads the same way
* poll: a query and headers give a poll or an error that has words
* token: only the very token that was signed is accepted, and any other is Unauthenticated
* address: the result is an address, for any header

An input that breaks one is printed, and kept in `corpus/`, from which mutations start and which `make test` replays.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import time
from collections import Counter
from pathlib import Path

from fuzz.targets import TARGETS, seeds

CORPUS = Path(__file__).parent / "corpus"
PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"%2f", b"%00", b"..", b"//", b"?", b"#", b"&", b"=", b"+", b",",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0x5\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: a\r\n", b"HTTP/1.1", b"HTTP/1.0", b"GET ", b"PUT ", b"/track", b"/status", b"/t/otl_", b"\xff", b"\xc3\x28",
    b"Authorization: Bearer ", b"X-Forwarded-For: ", b"::1", b"eyJhbGciOiJub25lIn0", b".", b"==", b"-1", b"1e9", b"NaN",
)  # fmt: skip


def mutated(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(changed))
        match draw.randint(0, 5):
            case 0:
                changed[at:at] = draw.choice(PIECES)
            case 1:
                del changed[at : at + draw.randint(1, 8)]
            case 2 if at < len(changed):
                changed[at] ^= 1 << draw.randint(0, 7)
            case 3:
                end = draw.randint(at, min(len(changed), at + 40))
                changed[at:at] = changed[at:end]
            case 4:
                changed[at : at + 1] = bytes([draw.randint(0, 255)])
            case 5:
                line = changed.find(b"\r\n", at)
                changed[at : line if line >= 0 else at] = b""
    return bytes(changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    draw, tried, found = random.Random(arguments.seed), Counter[str](), 0
    inputs = {name: [*seeds(name), *(file.read_bytes() for file in CORPUS.glob(f"{name}-*"))] for name in TARGETS}
    end_s = time.monotonic() + arguments.minutes * 60
    shown_s = time.monotonic()
    loop = asyncio.new_event_loop()
    while time.monotonic() < end_s:
        for name, target in TARGETS.items():
            data = mutated(draw.choice(inputs[name]), draw)
            tried[name] += 1
            try:
                interesting = loop.run_until_complete(target(data))
            except Exception as error:  # noqa: BLE001 - any error is a finding
                found += 1
                file = CORPUS / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
                file.write_bytes(data)
                print(f"{name}: {error!r} for {data!r}, kept in {file}")
            else:
                if interesting and len(inputs[name]) < 2_000:
                    inputs[name].append(data)
        if time.monotonic() - shown_s > 30:
            shown_s = time.monotonic()
            print(f"{sum(tried.values()):,} tried, {found} found", flush=True)
    print(f"seed {arguments.seed}: {dict(tried)}, {sum(tried.values()):,} inputs, {found} found")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
