"""Memory is that of a whole tree, by name, and a peak is not missed."""

import os
import subprocess
import sys
import time
from typing import Any

from kindling_local.memory import MemorySampler, family, measure


def test_memory_of_a_tree_is_its_sum(launch: Any) -> None:
    process = launch("shop", "plain", "child", "plain")
    child = process.children()[0]
    both, alone = (measure(family({one.pid: "shop"}, {})) for one in (process, child))
    assert set(both.parts) == {"shop"}
    assert both.total > alone.total > 0
    split = measure(family({process.pid: "shop", child.pid: "child"}, {}))
    assert set(split.parts) == {"shop", "child"}
    assert split.total == sum(split.parts.values())


def test_sampler_sees_a_peak_that_is_gone_in_the_end() -> None:
    program = "import time; held = bytearray(200 * 2**20); held[::4096] = bytes(len(held[::4096])); time.sleep(1.5)"
    with MemorySampler(lambda: {os.getpid(): "test"}, interval_s=0.1) as sampler:
        time.sleep(0.3)
        before = sampler.peak.total
        subprocess.run(
            [sys.executable, "-c", program, "-m", "kindling", "train"], check=True
        )
    assert sampler.peak.total - before > 190 * 2**20
    assert sampler.peak.parts["stage train"] > 190 * 2**20
