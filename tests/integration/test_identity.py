# SPDX-License-Identifier: GPL-2.0-or-later
"""A thread is told from another one that got its TID: by what, and what an exec changes."""

import os
import shutil
import signal
import sys

import attributes
from bare import Bare
from rig import proc

# its vCPU thread sleeps and wakes; after a signal, it executes something else in the place of all of the process
PLAYS_QEMU = """
import os, signal, threading, time
memory = bytearray(64 << 20)  # as a guest's: to unmap it takes longer than a burst, and comes before the event
go = threading.Event()
def vcpu():
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write("CPU 0/TCG")
    while not go.is_set():
        time.sleep(0.002)
    os.execv("/bin/sleep", ["sleep", "600"])
signal.signal(signal.SIGUSR1, lambda *_: go.set())
threading.Thread(target=vcpu).start()
while True:
    time.sleep(60)
"""


class PlaysQemu(Bare):
    def __init__(self, name, binary, **kwargs):
        super().__init__(name, **kwargs)
        self._argv = [binary, "-I", "-c", PLAYS_QEMU, "-name", f"guest={name},debug-threads=on", "-uuid", self.uuid,
                      "-accel", "tcg", "-smp", "1"]

    def _greets(self):
        return self.tids()


def identity(daemon, domain):
    return daemon.ctl_json("show", domain.uuid)["domain"]["vcpus"][0]["identity"]


def test_lives_are_watched(scene):
    """The tracer proves the TID while the vCPU is boosted; and again when it is boosted again."""
    domain, daemon = scene.boosted()
    assert identity(daemon, domain) == "tracer"
    daemon.ctl("policy", "set", domain.name, "observe")
    proc.wait_for(lambda: identity(daemon, domain) == "proc", 5, "its threads not to be watched any more")
    daemon.ctl("policy", "set", domain.name, "latency")
    daemon.wait_boosted(domain)
    assert identity(daemon, domain) == "tracer"


def test_exec_in_a_boosted_vcpu(scene, tmp_path):
    """It goes on under its process's TID, and its own TID belongs to no thread."""
    binary = f"{tmp_path}/qemu-python"
    shutil.copy(os.path.realpath(sys.executable), binary)
    qemu = scene.bare(make=PlaysQemu, binary=binary)
    daemon = scene.daemon(config={"default_profile": "observe", "domains": {"name": {qemu.name: {"profile": "latency"}}},
                                  "host": {"discovery": ["procfs"], "qemu_executables": [f"{tmp_path}/qemu-*"]}})
    tid = daemon.wait_boosted(qemu)["tid"]
    assert identity(daemon, qemu) == "tracer"
    os.kill(qemu.pid, signal.SIGUSR1)
    proc.wait_for(lambda: proc.threads(qemu.pid) == {qemu.pid: "sleep"}, 10, "the vCPU's thread to be all of its process")
    proc.wait_for(lambda: not attributes.boosted(qemu.pid), 5, "it to have what it had")
    proc.wait_for(lambda: (daemon.vcpu(qemu) or {"tid": None})["tid"] != tid, 20, "its thread to be forgotten")
    scene.assert_given_back()
