"""The machine and the versions of a measurement."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench import cluster
from bench.contenders import Skipped, cores_apart, product
from bench.peers import nchan, python

QUIET_PERCENT = 5.0


class Noise:
    """CPU use of other processes, in percent of all cores. Ended child processes belong to the measurement."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._before_s = _busy_s() - _own_s()

    def percent(self) -> float:
        others_s = _busy_s() - _own_s() - self._before_s
        return round(max(0.0, others_s) / (time.monotonic() - self._started_s) / (os.cpu_count() or 1) * 100, 1)


def _busy_s() -> float:
    """Return busy seconds: without interrupts, which the measured loopback traffic causes, but with steal."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "steal", 0.0))


def _own_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def machine() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "tcp": _first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        "python": platform.python_version(),
        "ordertrack": _ordertrack(),
        "peers": _peers(),
        "pinned": "server on core 0, generator on core 1" if cores_apart() else "no",
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"


def _ordertrack() -> str:
    shown = subprocess.run([*product(), "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.strip().rpartition(" ")[2]


def _peers() -> str:
    found: list[str] = []
    for versions in (nchan.version, python.versions, cluster.versions):
        try:
            found.append(versions())
        except Skipped as reason:
            found.append(f"({reason})")
    return ", ".join(found)
