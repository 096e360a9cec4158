# SPDX-License-Identifier: GPL-2.0-or-later
"""Many domains at once, as a reader of /proc sees them: stand-ins of four threads, or real QEMUs that are paused."""

import os
import subprocess
import uuid

from rig import proc
from rig.proc import RigError
from rig.started import Started

VCPUS = 4
QEMU = "/usr/bin/qemu-system-x86_64"
_READY_S = 60


def executable(build):
    """The stand-in, to be named in host.qemu_executables."""
    path = os.path.realpath(f"{build}/tests/bench/bench-domain")
    if not os.path.exists(path):
        raise RigError(f"{path} is not there: build with `ninja -C {build}`, or name the build with --build")
    return path


class Fleet(Started):
    """Context manager: COUNT domains named PREFIX0, PREFIX1, ... in the group with that cgroup.procs.

    qemu  real ones, paused before their first instruction, which can't be woken
    """

    def __init__(self, build, count, prefix, procs_file, qemu=False):
        self._program = QEMU if qemu else executable(build)
        self._count, self._prefix, self._procs_file, self._qemu = count, prefix, procs_file, qemu
        self._processes = []

    def start(self):
        for _ in range(self._count):
            self.start_one()
        for process in self._processes:
            self.wait_ready(process)

    def _arguments(self, name):
        arguments = ["-name", f"guest={name},debug-threads=on", "-uuid", str(uuid.uuid4()), "-smp", str(VCPUS)]
        if self._qemu:
            arguments += ["-machine", "pc", "-accel", "tcg,thread=multi,tb-size=1", "-m", "16", "-S", "-nodefaults",
                          "-display", "none", "-monitor", "null"]
        return arguments

    def start_one(self):
        """One more; its process. Its name is the last one of names()."""
        name = f"{self._prefix}{len(self._processes)}"
        process = subprocess.Popen(
            [self._program, *self._arguments(name)], text=True,
            stdin=subprocess.DEVNULL if self._qemu else subprocess.PIPE, stdout=subprocess.PIPE,
            # a stand-in ends with its standard input
            preexec_fn=proc.die_with_parent if self._qemu else None)
        self._processes.append(process)
        with open(self._procs_file, "w", encoding="ascii") as file:
            file.write(str(process.pid))
        return process

    def wait_ready(self, process):
        """Until its threads have their names."""
        if self._qemu:
            proc.wait_for(lambda: len(_vcpu_tids(process.pid)) == VCPUS, _READY_S, f"QEMU {process.pid} to have vCPUs")
        elif process.stdout.readline() != "ready\n":
            raise RigError("a stand-in for a domain did not start, see above")

    def names(self):
        return [f"{self._prefix}{number}" for number in range(len(self._processes))]

    def wake(self, rate):
        """Each vCPU wakes RATE times a second from now on; 0: never."""
        for process in self._processes:
            process.stdin.write(f"{rate}\n")
            process.stdin.flush()

    def wakeups(self):
        """How many times all vCPUs together slept and were woken."""
        return sum(voluntary_switches(process.pid, tid) for process in self._processes for tid in _vcpu_tids(process.pid))

    def close(self):
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        self._processes = []


def _vcpu_tids(pid):
    return [tid for tid, name in proc.threads(pid).items() if name.startswith("CPU ")]


def voluntary_switches(pid, tid):
    """How many times a thread slept since it was made."""
    for line in proc.read(f"/proc/{pid}/task/{tid}/status").splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise RigError(f"/proc/{pid}/task/{tid}/status has no voluntary_ctxt_switches")
