# SPDX-License-Identifier: GPL-2.0-or-later
"""One measurement: a latency test in the guest and cyclictest on the host at the same time, with the load running."""

import dataclasses
import json
import os
import re
import subprocess
import tempfile
import threading
import time

from . import proc, stats
from .proc import RigError
from .variants import INTERVAL_US

_HISTOGRAM_US = 50_000


@dataclasses.dataclass
class Measurement:
    guest: stats.Latencies
    host: stats.Latencies
    load_permille: float      # CPU time of all spinners, in thousandths of one CPU
    vcpu_permille: float      # CPU time of all vCPUs, likewise
    boosted_permille: float  # the part of it that ran boosted, by boosted_ns()
    foreign_permille: float   # CPU time of all that is neither load nor guest, likewise, on all CPUs


def _machine_ticks():
    """user, nice, system, idle, iowait, irq, softirq, steal, ... of all CPUs together."""
    return list(map(int, proc.read("/proc/stat").split("\n", 1)[0].split()[1:]))


def _ticks_ns(ticks):
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def busy_ns():
    """CPU time that the whole machine did not idle, in steps of a clock tick."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = _machine_ticks()
    return _ticks_ns(user + nice + system + irq + softirq)


def stolen_ns():
    """Time that the machine's CPUs wanted to run and its hypervisor did not let them, likewise."""
    return _ticks_ns(_machine_ticks()[7])


class HostCyclictest:
    """A cyclictest with one thread on every CPU of the host: SCHED_OTHER, or FIFO of that priority."""

    def __init__(self, seconds, interval_us=INTERVAL_US, fifo=0):
        handle, self._report = tempfile.mkstemp(prefix="pvsched-cyclictest-")
        os.close(handle)
        self._process = subprocess.Popen(
            ["cyclictest", "-q", "-a", "-t", str(os.cpu_count()), "-d", "0", "-i", str(interval_us), "-D", str(seconds),
             *(["--policy=fifo", "-p", str(fifo)] if fifo else ["--policy=other"]),
             "--default-system", "-h", str(_HISTOGRAM_US), f"--json={self._report}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=proc.die_with_parent)
        self._seconds = seconds

    def result(self):
        try:
            if self._process.wait(self._seconds + 30) != 0:
                raise RigError(f"cyclictest on the host failed with {self._process.returncode}")
            # the average of a thread that never ran is "nan", which is no JSON
            return stats.from_json(json.loads(re.sub(r"-?\bnan\b", "0", proc.read(self._report))))
        finally:
            self.close()

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if os.path.exists(self._report):
            os.unlink(self._report)


class Window:
    """CPU times at the start of the guest's test and SECONDS later.

    The guest needs another while to print its histogram, which is not compared.
    """

    def __init__(self, sample, seconds):
        self._sample, self._seconds = sample, seconds
        self._begin = self._end = None
        self._timer = threading.Timer(seconds, self._finish)

    def mark(self, text):
        if text == "start":
            self._begin = (time.monotonic_ns(), *self._sample())
            self._timer.start()

    def _finish(self):
        self._end = (time.monotonic_ns(), *self._sample())

    def cancel(self):
        self._timer.cancel()

    def permille(self):
        self._timer.join()
        if self._begin is None or self._end is None:
            raise RigError("the load could not be read while the guest measured")
        wall_ns = self._end[0] - self._begin[0]
        return [1000 * (end - begin) / wall_ns for begin, end in zip(self._begin[1:], self._end[1:])]


def measure(guest, load, command, seconds, boosted_ns=lambda: 0, settle_s=0.3, loaded=True):
    """Runs one measurement of SECONDS. The load runs while it lasts and is paused at its end.

    command         of the guest, which answers with latencies: see variants.command()
    boosted_ns()   time that the vCPUs ran boosted so far
    loaded          False: the load stays paused
    """
    tids = list(guest.vcpu_tids().values())
    if loaded:
        load.resume()
    time.sleep(settle_s)
    window = Window(lambda: (load.used_ns(), sum(map(proc.run_ns, tids)), boosted_ns(), busy_ns(),
                              sum(map(proc.run_ns, guest.helper_tids()))), seconds)
    host = HostCyclictest(seconds)

    def mark(text):
        window.mark(text)
        if text == "end":
            load.pause()

    try:
        answer = guest.command(command, seconds=seconds + 60, on_mark=mark)
        host_latencies = host.result()
    except BaseException:
        window.cancel()
        raise
    finally:
        host.close()
        load.pause()
    load_permille, vcpu_permille, boosted_permille, busy_permille, helpers_permille = window.permille()
    return Measurement(stats.from_guest(answer), host_latencies, load_permille, vcpu_permille, boosted_permille,
                       max(0.0, busy_permille - load_permille - vcpu_permille - helpers_permille))
