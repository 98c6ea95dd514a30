"""All vectors."""

from __future__ import annotations

from vectors.bodies import BODIES
from vectors.heads import HEADS
from vectors.targets import HOSTS, TARGETS

VECTORS = [*HEADS, *TARGETS, *HOSTS, *BODIES]
