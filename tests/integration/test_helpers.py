# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers that follow their vCPUs: an iothread is boosted while its domain waits for it, and has back what it had."""

import contextlib
import json
import time

import pytest

import attributes
from rig import proc
from rig.load import Load
from test_death import LIMIT_S, poll_until

FOLLOW = {"latency": {"helpers": "follow"}}
NICE, SLACK_NS = 5, 123456
SHARE_PERMILLE, BURST_US = 100, 300  # of a helper


class Chain:
    """A domain whose vCPU asks its iothread again and again, on a busy host; a daemon whose profile says FOLLOW."""

    def __init__(self, owners, load, work_us=20, sleep_us=2000, way="nothing", io_way=None, profiles=FOLLOW):
        env = {"OWNER_IO": str(work_us), "OWNER_SLEEP_US": str(sleep_us)}
        if io_way:
            env["OWNER_IO_WAY"] = io_way
        self.qemu = owners.begin(way, daemon=False, env=env)
        self.tid, self.vcpu = proc.wait_for(self._iothread, 5, "the iothread"), self.qemu.tid
        attributes.set_slack(self.tid, SLACK_NS)
        attributes.write(self.tid, nice=NICE)
        self.before = {tid: attributes.read(tid) for tid in (self.tid, self.vcpu)}
        load(self.vcpu)
        self.daemon = owners.daemon(profiles=profiles)

    def _iothread(self):
        return next((tid for tid, comm in proc.threads(self.qemu.pid).items() if comm == "IO owner"), None)

    def helper(self):
        """Its object in `show --json`; {} where it, or its domain, is not listed."""
        shown = self.daemon.call("show", self.qemu.name, "--json")
        helpers = json.loads(shown.stdout)["domain"]["helpers"] if shown.returncode == 0 else []
        return next((helper for helper in helpers if helper["tid"] == self.tid), {})

    def wait(self, accept, what, seconds=20):
        last = {}

        def look():
            last.update(self.helper())
            return dict(last) if accept(last) else None

        try:
            return proc.wait_for(look, seconds, what)
        except proc.RigError as error:
            raise proc.RigError(f"{error}; last seen {last}; log: {self.daemon.log()[-3000:]}") from None

    def wait_armed(self):
        """Boosted ahead of its runs, by the daemon's word and by the kernel's."""
        return self.wait(lambda h: h.get("state") == "armed" and h["reason"] == "within-budget"
                         and attributes.boosted(self.tid), "the iothread to be armed")

    def is_given_back(self):
        return attributes.read(self.tid) == self.before[self.tid]


@pytest.fixture
def chain(scene, owners):
    """chain(...): a Chain under load, until the test ends."""
    with contextlib.ExitStack() as loads:
        yield lambda **kwargs: Chain(owners, lambda tid: loads.enter_context(Load(tid, deadman=scene.deadman)), **kwargs)


def test_short_runs_are_armed_ahead(chain):
    iothread = chain()
    seen = iothread.wait_armed()
    assert seen["role"] == "iothread" and seen["follows"] and seen["boosts_total"] > 0
    # what holds its vCPUs holds it
    iothread.daemon.ctl("release", iothread.qemu.name)
    proc.wait_for(iothread.is_given_back, 5, "the iothread to be given back")
    iothread.daemon.ctl("policy", "set", iothread.qemu.name, "latency")
    iothread.wait_armed()
    # and with another profile it is no more than watched
    iothread.daemon.ctl("policy", "set", iothread.qemu.name, "interactive")
    assert iothread.wait(lambda h: h.get("follows") is False, "the iothread to follow no longer")["watched"]
    proc.wait_for(iothread.is_given_back, 5, "the iothread to be given back")


def test_rare_runs_are_boosted_one_by_one(chain):
    iothread = chain(work_us=50, sleep_us=30000)
    seen = iothread.wait(lambda h: h.get("boosts_total", 0) >= 10, "the iothread to be boosted ten times")
    assert seen["reason"] in ("follows", "not-awaited"), seen
    assert 0 < seen["boosted_us"] <= seen["boosts_total"] * BURST_US * 2, seen
    proc.wait_for(iothread.is_given_back, 5, "the iothread to be as before between its runs")


def test_run_without_end_is_bounded(chain, scene):
    """It computes for 20 ms each time: its own bucket ends its boosts."""
    iothread = chain(work_us=20000)
    first = iothread.wait(lambda h: h.get("throttles_total", 0) >= 3, "its boosts to be ended")
    begin = time.monotonic()
    last = iothread.wait(lambda h: h.get("throttles_total", 0) >= first["throttles_total"] + 20, "its boosts to be ended", seconds=60)
    seconds = time.monotonic() - begin
    permille = (last["boosted_us"] - first["boosted_us"]) / seconds / 1000
    scene.figures.setdefault("boosted permille of an iothread without end (share 100)", []).append(permille)
    # a boost may be overdrawn by what ends it, as with a vCPU
    assert permille <= SHARE_PERMILLE + 20 + BURST_US / seconds / 1000


def test_observed_by_default(chain):
    iothread = chain(profiles=None)
    seen = iothread.wait(lambda h: h.get("waits_total", 0) > 100, "the iothread to be watched")
    assert not seen["follows"] and "boosts_total" not in seen
    assert iothread.is_given_back()


def test_kill_9_of_the_daemon(chain, scene):
    iothread = chain()
    iothread.wait_armed()
    iothread.daemon.kill()
    taken = poll_until(list(iothread.before), iothread.before)
    iothread.daemon.reap()
    scene.figures.setdefault("kill -9 of the daemon to an iothread given back, ms", []).append(1000 * taken)
    assert taken < LIMIT_S, taken
    scene.assert_pristine()


def test_restore_after_both_died(chain, scene):
    iothread = chain()
    iothread.wait_armed()
    iothread.daemon.kill_both()
    assert iothread.daemon.restore().returncode == 0
    assert all(attributes.read(tid) == before for tid, before in iothread.before.items())
    scene.assert_pristine()


def test_exec_of_the_iothread(chain, scene):
    """It has the leader's TID then, and gets what it had itself, not what a vCPU had."""
    iothread = chain(io_way="exec")
    pid = iothread.qemu.pid
    proc.wait_for(lambda: proc.threads(pid) == {pid: "sleep"}, 20, "exec")
    scene.except_tids.add(pid)
    proc.wait_for(lambda: not attributes.boosted(pid), 2, "it not to be real-time")
    now, before = attributes.read(pid), iothread.before[iothread.tid]
    assert (now.policy, now.priority, now.nice, now.flags) == (before.policy, before.priority, before.nice, before.flags)


def test_exit_of_the_iothread(chain):
    iothread = chain(io_way="exit")
    proc.wait_for(lambda: iothread.tid not in proc.threads(iothread.qemu.pid), 20, "the iothread to exit")
    proc.wait_for(lambda: not iothread.helper(), 10, "it to be listed no longer")


def test_vcpu_that_exits_meanwhile(chain):
    """Its record does not become the helper's, which gets back what it had itself."""
    iothread = chain(way="exit-with-helper")
    proc.wait_for(lambda: iothread.vcpu not in proc.threads(iothread.qemu.pid), 20, "the vCPU to exit")
    proc.wait_for(iothread.is_given_back, 5, "the iothread to be given back")
