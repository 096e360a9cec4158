# SPDX-License-Identifier: GPL-2.0-or-later
"""What tells of events loses some: it is counted, and what they would have told is looked for at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import attributes
from bare import Bare
from rig import proc
from rig.libvirtd import virsh

# More than the tracer's ring has room for, and than the socket of the proc connector holds.
THREADS, NAMES = 10_000, 60_000
# Without hints everything is looked at once in a minute.
SOON_S = 10

# Its vCPUs sleep and wake. After a signal the first one makes threads without end, or the second one leaves.
PLAYS_QEMU = f"""
import os, signal, threading, time
go = threading.Event()
def vcpu(index):
    with open(f"/proc/self/task/{{threading.get_native_id()}}/comm", "w") as file:
        file.write(f"CPU {{index}}/TCG")
    while not go.is_set():
        time.sleep(0.002)
    way = os.environ["WAY"]
    if way == "leave" and index == 1:
        return
    if way == "storm" and index == 0:
        for _ in range({THREADS}):
            one = threading.Thread(target=int)
            one.start()
            one.join()
        print("stormed", flush=True)
    while True:
        time.sleep(0.002)
signal.signal(signal.SIGUSR1, lambda *_: go.set())
for index in range(2):
    threading.Thread(target=vcpu, args=(index,)).start()
while True:
    time.sleep(60)
"""

RENAMES = f"""
import threading
with open(f"/proc/self/task/{{threading.get_native_id()}}/comm", "w", buffering=1) as file:
    for number in range({NAMES}):
        file.seek(0)
        file.write(f"CPU {{number % 10}}/TCG")
        file.flush()
"""


class PlaysQemu(Bare):
    def __init__(self, name, binary, way, **kwargs):
        super().__init__(name, **kwargs)
        self._argv = ["env", f"WAY={way}", binary, "-I", "-c", PLAYS_QEMU, "-name", f"guest={name},debug-threads=on", "-uuid",
                      self.uuid, "-accel", "tcg", "-smp", "2"]

    def _greets(self):
        return len(self.tids()) == 2


@pytest.fixture
def plays(scene, tmp_path):
    """plays(name, way): such a process. plays.config: for a daemon that finds them, and boosts those named so."""
    binary = f"{tmp_path}/qemu-python"
    shutil.copy(os.path.realpath(sys.executable), binary)

    def make(name, way):
        return scene.bare(name, make=PlaysQemu, binary=binary, way=way)

    make.config = {"default_profile": "observe", "domains": {"glob": {"pvsched-storm*": {"profile": "latency"}}},
                   "host": {"discovery": ["procfs"], "qemu_executables": [f"{tmp_path}/qemu-*"]}}
    return make


def stop_while_boosted(daemon, domain):
    """The tracer goes on as it was told; whether the guardian acts is up to the vCPU."""
    for _ in range(100):
        daemon.wait_boosted(domain)
        daemon.kill(signal.SIGSTOP)
        if attributes.boosted(domain.tid):
            return
        daemon.kill(signal.SIGCONT)
    raise AssertionError("it was never boosted")


def test_the_ring_is_full(scene, plays):
    """The daemon stands still while a boosted vCPU makes threads, each of which is an event. Then a vCPU that is only
    observed leaves: its event is lost, and nothing else tells of it for a minute."""
    storm, quiet = plays("pvsched-storm", "storm"), plays("pvsched-quiet", "leave")
    daemon = scene.daemon(config=plays.config)
    daemon.wait_known(quiet, 1)
    stop_while_boosted(daemon, storm)
    os.kill(storm.pid, signal.SIGUSR1)
    proc.wait_for(lambda: "stormed" in storm.log(), 60, "the threads to be made")
    os.kill(quiet.pid, signal.SIGUSR1)
    proc.wait_for(lambda: len(quiet.tids()) == 1, 5, "a vCPU to leave")
    daemon.kill(signal.SIGCONT)
    since = time.monotonic()
    proc.wait_for(lambda: daemon.vcpu(quiet, 1) is None, SOON_S, "the vCPU that left to be missed")
    scene.figures.setdefault("exit whose event was lost, noticed after, ms", []).append(1000 * (time.monotonic() - since))
    lost = daemon.status()["events"]["lost"]
    scene.figures.setdefault("events lost while the daemon stood still", []).append(lost)
    assert lost > 0
    daemon.wait_log("events were lost: all threads are looked at again")
    checks = json.loads(daemon.call("doctor", "--json").stdout)["checks"]
    assert any(f"{lost} events lost" in check["detail"] and check["status"] == "warn" for check in checks), checks
    # no boost is wrong: it ends, and comes again
    assert daemon.call("policy", "set", storm.name, "observe").returncode == 0
    proc.wait_for(lambda: not attributes.boosted(storm.tid), 2, "the boost to end")
    assert daemon.call("policy", "set", storm.name, "latency").returncode == 0
    daemon.wait_boosted(storm)


def test_hints_are_dropped(scene, plays):
    """The daemon stands still while a thread renames itself: the kernel drops messages, that of a new domain, too."""
    daemon = scene.daemon(config=plays.config)
    daemon.kill(signal.SIGSTOP)
    subprocess.run([sys.executable, "-I", "-c", RENAMES], check=True, timeout=60)
    late = plays("pvsched-late", "leave")
    daemon.kill(signal.SIGCONT)
    since = time.monotonic()
    daemon.wait_known(late, seconds=SOON_S)
    scene.figures.setdefault("domain whose hint was dropped, found after, ms", []).append(1000 * (time.monotonic() - since))
    assert daemon.status()["events"]["proc_connector_lost"] > 0


def test_the_socket_of_hints_fails(scene, plays, tmp_path):
    """It is said and counted; what its message would have told is found at once, and later ones by looking."""
    trigger = f"{tmp_path}/fails"
    daemon = scene.daemon(config=plays.config, env={"LD_PRELOAD": f"{scene.build_dir}/tests/integration/no-netlink.so",
                                                    "NO_NETLINK": trigger})
    assert daemon.status()["sources"]["proc_connector"]["ok"]
    with open(trigger, "w", encoding="ascii"):
        pass
    late = plays("pvsched-late", "leave")
    daemon.wait_known(late, seconds=SOON_S)
    status = daemon.status()
    source = status["sources"]["proc_connector"]
    assert source["ok"] is False and "lost: " in source["detail"]
    assert status["events"]["proc_connector_lost"] == 1
    daemon.wait_log("the proc connector is lost")


def test_hotplug_without_a_socket(scene, tmp_path):
    """libvirt's domains are looked at twice a second in any case."""
    trigger = f"{tmp_path}/fails"
    domain = scene.domain(max_vcpus=2)
    daemon = scene.daemon(profile="observe", env={"LD_PRELOAD": f"{scene.build_dir}/tests/integration/no-netlink.so",
                                                  "NO_NETLINK": trigger})
    daemon.wait_known(domain)
    with open(trigger, "w", encoding="ascii"):
        pass
    virsh("setvcpus", domain.uuid, "2", "--live")
    proc.wait_for(lambda: daemon.vcpu(domain, 1), 5, "the new vCPU to be noticed")
    assert daemon.status()["events"]["proc_connector_lost"] == 1
