# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to the host as a whole: its clock is set, a CPU goes offline and comes back."""

import pytest

from rig import proc

DAY_S = 86400


def boosted_ns(host):
    """Boosted run time of all vCPUs."""
    return sum(vcpu["boosted_ns"] for vcpu in host.vcpus())


def still_boosted(host, guest, before_ns):
    """Each vCPU is boosted, and they have run boosted for longer than that."""
    host.boosted(guest)
    proc.wait_for(lambda: boosted_ns(host) > before_ns, 60, "boosted run time to grow")


def clock_s(host):
    """Seconds of the wall clock, and since the boot."""
    return [float(word) for word in host.run("date +%s.%N; cut -d' ' -f1 /proc/uptime").split()]


@pytest.mark.any_kernel
@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S], ids=["forwards", "backwards"])
def test_the_clock_is_set(guest, host, by_s):
    """By a day, amid boosts."""
    with host.unchanged():
        host.boosted(guest)
        before = boosted_ns(host)
        wall_s, up_s = clock_s(host)
        host.run(f"date -s @$(($(date +%s) + {by_s}))")
        try:
            after_s, after_up_s = clock_s(host)
            assert abs(after_s - wall_s - by_s - (after_up_s - up_s)) < 2
            still_boosted(host, guest, before)
            assert host.ctl("status")["breaker"] == "closed"
            waits = [vcpu["wait_us"]["max"] for vcpu in host.vcpus()]
            assert max(waits) < 3600e6, waits
        finally:
            host.run(f"date -s @$(($(date +%s) - {by_s}))")
        host.boosted(guest)


def test_a_cpu_goes_offline(guest, host):
    """The boosted vCPUs go on where a CPU is left, and use the other one again when it is back."""
    cpu = "/sys/devices/system/cpu/cpu1/online"
    with host.unchanged():
        host.boosted(guest)
        before = boosted_ns(host)
        host.run(f"echo 0 >{cpu}")
        try:
            still_boosted(host, guest, before)
            before = boosted_ns(host)
        finally:
            host.run(f"echo 1 >{cpu}")
        still_boosted(host, guest, before)
        assert host.ctl("status")["breaker"] == "closed"
