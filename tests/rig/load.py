# SPDX-License-Identifier: GPL-2.0-or-later
"""A busy host: spinners laid out as sibling VM groups beside the domain's own.

The layout decides what "busy" means to a vCPU: six spinners in one other group cost it a few us, six in groups of
their own, as libvirt makes them, hundreds. So each spinner gets /machine/spinN/vcpu0 (v1) or the same beside the
domain's scope (v2), with the weight of the domain's group.
"""

import os
import signal
import subprocess
import time

from . import proc
from .deadman import NoDeadman
from .started import Started

PER_CPU = 3
SIBLINGS, ONE, OWN = LAYOUTS = "siblings", "one", "own"  # groups of their own; one other group; the vCPU's
_SPIN = "while True:\n    pass\n"


class Load(Started):
    """Context manager: `per_cpu` busy loops for each CPU of the host, beside the domain of `vcpu_tid`.

    Their throughput is the CPU time they got, exact to the nanosecond: used_ns().
    """

    def __init__(self, vcpu_tid, per_cpu=PER_CPU, deadman=None, layout=SIBLINGS):
        self._deadman = deadman or NoDeadman()
        self._layout = layout
        self._mount, domain, self._version = proc.domain_cgroup(vcpu_tid)
        self._vcpu_dir = self._mount + proc.cpu_cgroup(vcpu_tid)[1]
        self._domain_dir = self._mount + domain
        self._machine_dir = os.path.dirname(self._domain_dir)
        self._count = per_cpu * len(os.sched_getaffinity(0))
        self._groups = []     # directories in the order they were made
        self._spinners = []   # Popen
        self._keys = []

    def start(self):
        for n in range(self._count):
            self._start_one(n)

    def _start_one(self, n):
        spinner = subprocess.Popen(["/usr/bin/python3", "-S", "-c", _SPIN], stdin=subprocess.DEVNULL,
                                   preexec_fn=proc.die_with_parent)
        self._spinners.append(spinner)
        group = self._group(n)
        self._keys.append(self._deadman.add(pid=spinner.pid))
        _write(f"{group}/cgroup.procs", str(spinner.pid))

    def _group(self, n):
        """The directory in which spinner N runs."""
        if self._layout == OWN:
            return self._vcpu_dir
        if self._layout == ONE and n > 0:
            return self._groups[-1]
        group = f"{self._machine_dir}/pvsched-spin{os.getpid()}-{n}.libvirt-qemu"
        for directory in (group, f"{group}/vcpu0"):
            os.mkdir(directory)
            self._groups.append(directory)
            self._keys.append(self._deadman.add(argv=["rmdir", directory]))
        weight = "cpu.shares" if self._version == 1 else "cpu.weight"
        if self._version == 2:
            _write(f"{group}/cgroup.subtree_control", "+cpu")
        _write(f"{group}/{weight}", proc.read(f"{self._domain_dir}/{weight}").strip())
        return f"{group}/vcpu0"

    def pids(self):
        return [spinner.pid for spinner in self._spinners]

    def used_ns(self):
        """CPU time of all spinners together since they started."""
        return sum(proc.run_ns(pid) for pid in self.pids())

    def pause(self):
        """No measurement runs: leaves the CPUs to guest and host."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self, count=None):
        """All of them, or the first COUNT."""
        for pid in self.pids()[:count]:
            os.kill(pid, signal.SIGCONT)

    def close(self):
        for spinner in self._spinners:
            spinner.kill()
            spinner.wait()
        for directory in reversed(self._groups):
            for _ in range(50):  # a killed task leaves its group a moment later
                try:
                    os.rmdir(directory)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
        for key in self._keys:
            self._deadman.remove(key)
        self._spinners, self._groups, self._keys = [], [], []


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
