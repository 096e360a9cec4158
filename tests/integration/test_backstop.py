# SPDX-License-Identifier: GPL-2.0-or-later
"""Deadlines that never fire: the tracer of `tests/bench/run deadline` that starts no timer, with the real booster."""

import os

import pytest
from bench import deadline
from bench.scene import BOOST_BUDGETS_US, Scene


@pytest.mark.usefixtures("machine")
def test_a_vcpu_without_tokens_is_found_when_the_booster_is_awake(build_dir):
    """Bursts of 30 ms, of which each vCPU has tokens for less than one; the booster is woken 100 times a second."""
    with Scene(build_dir) as scene, scene.budget(BOOST_BUDGETS_US):
        one = deadline.run(scene, "backstop", (30_000, 200_000), 2)
    assert one["cpus"] == len(os.sched_getaffinity(0))
    del one["samples"]
    assert one["deadlines_missed"] > 0 and one["boosts"] >= one["deadlines_missed"], one
    assert one["bpf_timer_per_s"] == 0 and not one["overshoots"], f"by an event: {one}"
