# SPDX-License-Identifier: GPL-2.0-or-later
"""The loads of tests/bench/run contention, each for a second in a guest: they run, end, and count what they did."""

from rig import stats


def test_each_load_ends_and_counts(scene):
    guest = scene.linux(vcpus=2)
    assert guest.command("cpus")["cpus"] == 2
    marks, before = [], guest.command("interrupts")["ipis"]
    piped = guest.command("pipeline 1", on_mark=marks.append)
    assert marks == ["start", "end"] and piped["blocks"] > 0 and piped["us"] >= 1_000_000, piped
    assert 0 < piped["packed"] < 16384 * piped["blocks"], piped
    woken = guest.command("wakers 2 2 200 500 1")
    assert woken["requests"] == woken["cycles"] > 0 and woken["turns_per_ms"] > 0, woken
    assert stats.from_guest(woken).percentile(990) <= woken["max_us"], woken
    hacked = guest.command("hackbench 1 2 1")
    assert hacked["runs"] >= 1 and (hacked["us"] >= 1_000_000), hacked
    assert guest.command("membarrier 1")["cycles"] > 0
    assert guest.command("interrupts")["ipis"] > before, "each of these needs interrupts between the CPUs"
