# SPDX-License-Identifier: GPL-2.0-or-later
"""How `tests/bench/run host` and `glitch` have a real domain's threads scheduled, and that all of it is undone."""

import os

from bench import guest_variants
from rig import proc, rtbudget, variants


def groups(tids):
    return {proc.cpu_cgroup(tid)[1] for tid in tids}


def test_all_threads_are_in_one_group_and_back_again(scene):
    domain = scene.domain(vcpus=2)
    scene.watch()  # it looks at cgroups, too
    tids = list(proc.threads(domain.pid))
    before = {tid: proc.cpu_cgroup(tid)[1] for tid in tids}
    assert len(set(before.values())) == 3, before
    cpus = os.sched_getaffinity(domain.pid)
    with guest_variants.one_group([*tids, 2**22 + 1], domain.pid, min(cpus)):
        assert groups(tids) == {before[domain.pid]}
        assert {tuple(os.sched_getaffinity(tid)) for tid in tids} == {(min(cpus),)}
    assert {tid: proc.cpu_cgroup(tid)[1] for tid in tids} == before
    assert all(os.sched_getaffinity(tid) == cpus for tid in tids)


def test_a_daemon_goes_on_with_a_domain_that_was_in_one_group(scene):
    domain = scene.domain(busy=1, idle=9, hz=100)
    daemon = scene.daemon(profile="off")
    with guest_variants.one_group(list(proc.threads(domain.pid)), domain.pid):
        daemon.ctl("reload")  # all threads are looked at again
    daemon.ctl("policy", "set", domain.name, "latency")
    daemon.wait_boosted(domain)


def test_static_vcpus_have_the_largest_budget_there_is(scene):
    domain = scene.domain(vcpus=2)
    scene.watch()
    tids = domain.tids()
    with guest_variants.static_budget(tids), variants.fifo(tids):
        assert [os.sched_getscheduler(tid) & ~os.SCHED_RESET_ON_FORK for tid in tids] == [os.SCHED_FIFO] * 2
        assert not rtbudget.needed() or all(rtbudget.of(tid) >= variants.VCPUS_US // 2 for tid in tids)
    assert [os.sched_getscheduler(tid) for tid in tids] == [os.SCHED_OTHER] * 2


def test_what_this_daemon_and_this_kernel_can_have(scene):
    assert guest_variants.lacking(scene.build_dir, ("latency", "static", "one-group")) == {}
    slices = guest_variants.lacking(scene.build_dir, (guest_variants.SLICE,))
    assert bool(slices) == (tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12))
    for slow in (1, 20):
        config = guest_variants.config(slow)
        for part, values in guest_variants.covered(slow).items():
            config[part] = config[part] | values
        scene.daemon(profile="observe", config=config).stop()
