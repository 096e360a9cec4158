# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between two emulated hosts, with pvschedd on both and on one of them."""

import pytest

from host import GUEST


def forgotten(host):
    host.wait_for("pvschedctl list --json | grep -q '\"domains\":\\[\\]'", "the guest that has left to be forgotten")
    assert host.ctl("status")["events"]["boosted_now"] == 0


def test_between_hosts_with_pvschedd(guest, pair):
    here, there = pair.here, pair.there
    with there.unchanged(), here.unchanged():
        here.boosted(guest)
        pair.migrate(here, there)
        forgotten(here)
        assert here.differences() == []
        tids = there.tids()
        there.boosted(tids)
        assert {vcpu["vcpu"]: vcpu["tid"] for vcpu in there.vcpus()} == tids
        pair.migrate(there, here)
        forgotten(there)
        here.boosted(here.tids())


@pytest.mark.any_kernel
def test_to_a_host_without_pvschedd_and_back(guest, pair):
    here, there = pair.here, pair.there
    there.run("dpkg --purge pvschedd", timeout=180)
    with here.unchanged():
        here.boosted(guest)
        pair.migrate(here, there)
        forgotten(here)
        there.snapshot()
        classes = there.run(f"ps -L -o class= -p $(cat '/run/libvirt/qemu/{GUEST}.pid')").split()
        assert set(classes) == {"TS"}, classes
        pair.migrate(there, here)
        assert there.run("sched-snapshot compare /run/snapshot") == ""
        here.boosted(here.tids())
