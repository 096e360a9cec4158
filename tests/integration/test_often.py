# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills, races and flips at random moments, as often as --times says: whatever comes first, nothing is left.

A failure prints the seed of its moments; --seed repeats them, as far as the machine does.
"""

import os
import shutil
import signal
import sys
import threading
import time

import pytest

import attributes
from rig import proc
from rig.libvirtd import virsh
from test_identity import PlaysQemu

pytestmark = pytest.mark.often

# Longer than from the first thread that is changed to the last, and than a burst and a command.
MOMENT_S = 0.05


class Flips:
    """Context manager: commands to the daemon without a pause, each of which boosts or unboosts a domain."""

    def __init__(self, daemon, domain, chance):
        self._daemon, self._domain = daemon, domain
        self._chance = chance
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.outcomes = []

    def _commands(self):
        name = self._domain.name
        return [("policy", "set", name, "latency"), ("policy", "set", name, "observe"), ("policy", "set", name, "interactive"),
                ("policy", "set", name, "off"), ("release", name), ("disable",), ("enable",), ("reload",),
                ("boost", name, "--for", "1ms")]

    def _run(self):
        while not self._ends.is_set():
            self.outcomes.append(self._daemon.call(*self._chance.choice(self._commands())).returncode)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()


def originals(domain):
    return {tid: attributes.read(tid) for tid in domain.tids()}


def wait_given_back(before):
    proc.wait_for(lambda: {tid: attributes.read(tid) for tid in before} == before, 2, "all threads to be as they were",
                  step=0.001)


def kill_daemon(daemon, _chance):
    daemon.kill()
    daemon.reap()


def kill_both(daemon, _chance):
    daemon.kill_both()
    assert daemon.restore().returncode == 0


def stop_then_kill(daemon, chance):
    """It may be given back meanwhile, by a guardian that takes it for dead; or by its death."""
    daemon.kill(signal.SIGSTOP)
    time.sleep(chance.uniform(0, MOMENT_S))
    if chance.random() < 0.5:
        daemon.kill(signal.SIGCONT)
    daemon.kill()
    daemon.reap()


def kill_guardian_then_daemon(daemon, chance):
    """The second dies before, while or after the daemon replaces the first, and may have no guardian at all."""
    guardian = daemon.guardian()
    if guardian is not None:
        os.kill(guardian, signal.SIGKILL)
    time.sleep(chance.uniform(0, MOMENT_S))
    daemon.kill()
    daemon.reap()
    assert daemon.restore().returncode == 0


WAYS = {"daemon": kill_daemon, "both": kill_both, "stopped": stop_then_kill, "guardian-first": kill_guardian_then_daemon}


@pytest.mark.parametrize("way", WAYS)
def test_kills(scene, times, chance, way):
    domain = scene.domain(vcpus=2, hz=1000)
    before = originals(domain)
    for _ in range(times):
        daemon = scene.daemon()
        daemon.wait_known(domain, 1)
        with Flips(daemon, domain, chance):
            time.sleep(chance.uniform(0, MOMENT_S))
            WAYS[way](daemon, chance)
            wait_given_back(before)
        scene.forget(daemon)
    scene.assert_pristine()


def test_race_with_an_exec(scene, times, chance, tmp_path):
    """The vCPU's thread becomes all of its process, at any moment of a boost's begin or end."""
    binary = f"{tmp_path}/qemu-python"
    shutil.copy(os.path.realpath(sys.executable), binary)
    daemon = scene.daemon(config={"host": {"discovery": ["procfs"], "qemu_executables": [f"{tmp_path}/qemu-*"]}})
    for number in range(times):
        qemu = scene.bare(name=f"pvsched-exec-{number}", make=PlaysQemu, binary=binary)
        daemon.wait_known(qemu)
        with Flips(daemon, qemu, chance):
            time.sleep(chance.uniform(0, MOMENT_S))
            os.kill(qemu.pid, signal.SIGUSR1)
            proc.wait_for(lambda qemu=qemu: proc.threads(qemu.pid) == {qemu.pid: "sleep"}, 10, "the exec")
        daemon.ctl("enable")
        proc.wait_for(lambda qemu=qemu: not attributes.boosted(qemu.pid), 5, "what is left of it to be as it was")
        scene.forget_domain(qemu)
    assert daemon.stop() == 0


def test_race_with_the_end_of_a_domain(scene, times, chance):
    daemon = scene.daemon()
    for number in range(times):
        domain = scene.domain(f"pvsched-ends-{number}", hz=1000)
        daemon.wait_known(domain)
        with Flips(daemon, domain, chance):
            time.sleep(chance.uniform(0, MOMENT_S))
            virsh("destroy", domain.uuid)
        daemon.ctl("enable")
        proc.wait_for(lambda domain=domain: domain.name not in daemon.names(), 10, "the domain to be forgotten")
        scene.forget_domain(domain)
    assert daemon.status()["slots"]["used"] == 0
    assert daemon.stop() == 0


def test_race_with_another_program(scene, times, chance):
    """chrt, while the class changes: boosted or not, the thread is no real-time thread in the end."""
    domain = scene.domain(hz=1000)
    scene.except_tids.add(domain.tid)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    for _ in range(times):
        with Flips(daemon, domain, chance):
            time.sleep(chance.uniform(0, MOMENT_S))
            attributes.write(domain.tid, policy=chance.choice((os.SCHED_BATCH, os.SCHED_IDLE, os.SCHED_OTHER)))
        assert daemon.call("release", domain.name).returncode == 0
        assert not attributes.boosted(domain.tid)
        daemon.ctl("enable")
        daemon.ctl("policy", "set", domain.name, "latency")
        daemon.wait_boosted(domain)


def test_flips(scene, times, chance):
    """Ten commands each time, while it boosts; then it boosts as before, and has not come to harm."""
    domain = scene.domain(vcpus=2, hz=1000)
    before = originals(domain)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    for _ in range(times):
        with Flips(daemon, domain, chance) as flips:
            proc.wait_for(lambda flips=flips: len(flips.outcomes) >= 10, 30, "ten commands")
        assert not set(flips.outcomes) - {0, 1}, flips.outcomes  # 1: a boost that was refused
        daemon.ctl("release", domain.name)
        assert originals(domain) == before
        daemon.ctl("enable")
        daemon.ctl("policy", "set", domain.name, "latency")
        daemon.wait_boosted(domain)
    status = daemon.status()
    assert status["breaker"] == "closed" and status["unclean_ends"] == 0
