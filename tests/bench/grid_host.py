# SPDX-License-Identifier: GPL-2.0-or-later
"""What `grid` measures on the machine it runs on: a guest, its vCPUs from outside, and the host, at the same time."""

import contextlib
import glob
import json
import os
import struct
import subprocess
import sys
import threading
import time

from rig import proc, rtbudget, variants
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest, guest_image
from rig.kvm import kvm_works
from rig.libvirtd import Libvirtd, running_domains
from rig.load import PER_CPU, Load
from rig.measure import HostCyclictest, Window, busy_ns, stolen_ns
from rig.proc import RigError
from rig.stats import from_guest

VANILLA, STATIC = "vanilla", "static"
DOMAIN = "pvsched-grid"
# A guest in an emulated host takes its time.
BOOT_SECONDS = 240
# cyclictest starts in the guest: that is no part of what is looked at from outside.
LEAD_S = 0.5
SETTLE_S = 0.2
HOST_FIFO = 80
BURST_US_MAX = 10_000
RECORD = struct.Struct("=QIIIIhhhBBIxxxx16s")  # struct wait_record of waits.h
WOKEN = 0
REAL_TIME = 100  # the kernel's priorities below this


class Installed:
    """The pvschedd that runs as a service here, with the calls of rig.daemon.Daemon that are needed."""

    def __init__(self):
        self.version = self.ctl_json("status")["version"]

    @staticmethod
    def runs():
        return os.path.exists("/run/pvschedd/control.sock")

    def ctl(self, *words):
        return proc.run("pvschedctl", *words)

    def ctl_json(self, *words):
        return json.loads(self.ctl(*words, "--json"))


class Waits:
    """bench-waits: what the vCPU threads waited for their CPUs. See waits.h."""

    def __init__(self, program, tids, path):
        if not os.path.exists(program):
            raise RigError(f"{program} is not there: build it, or name the build with --build")
        self._path = path
        self._process = subprocess.Popen([program, *map(str, tids)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, preexec_fn=proc.die_with_parent)
        self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RigError("bench-waits ended, see above")
        return json.loads(line)

    def _say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def start(self):
        self._say("start")

    def stop(self):
        """All records since start()."""
        answer = self._say(f"stop {self._path}")
        with open(self._path, "rb") as file:
            records = list(RECORD.iter_unpack(file.read()))
        os.unlink(self._path)
        if answer["lost"]:
            raise RigError(f"bench-waits lost {answer['lost']} of {answer['lost'] + answer['records']} records")
        return records


def rounded(us):
    """Rounds a delay to the three digits that are kept."""
    return float(f"{us:.3g}")


def delays(waits_ns):
    """Delays as a histogram: what the report needs, small enough to be kept for each round."""
    histogram = {}
    for ns in waits_ns:
        key = rounded(ns / 1000)
        histogram[key] = histogram.get(key, 0) + 1
    return {"histogram": {str(us): histogram[us] for us in sorted(histogram)}, "count": len(waits_ns),
            "sum_us": round(sum(waits_ns) / 1000, 3), "max_us": round(max(waits_ns, default=0) / 1000, 3)}


def who(record):
    """Why the thread did not run at once, as far as the moment of its start tells."""
    _, wait_ns, *_, before_tid, woken_prio, prio, before_prio, _, elsewhere, interrupted_ns, before = record
    name = before.rstrip(b"\0").decode(errors="replace").rstrip("0123456789/:")
    if woken_prio >= REAL_TIME:
        return "not boosted when woken" if prio >= REAL_TIME else "boosted while it waited"
    if before_tid == 0:
        return "boosted; the CPU was idle"
    if before_prio < REAL_TIME:
        return f"boosted; real-time {name} ran"
    if not elsewhere or not interrupted_ns:
        return f"boosted; ordinary {name} ran"
    # An ordinary thread gives way in the interrupt by which the waking CPU asks for it.
    late = "took the interrupt late" if 2 * interrupted_ns > wait_ns else "was interrupted at once and gave way late"
    return f"boosted; ordinary {name}'s CPU {late}"


def slowest(woken):
    """{why: [count, us]} of the slowest 1 % of all wake-ups."""
    found = {}
    for record in sorted(woken, key=lambda one: one[1])[-max(1, len(woken) // 100):] if woken else []:
        one = found.setdefault(who(record), [0, 0])
        one[0] += 1
        one[1] = round(one[1] + record[1] / 1000, 3)
    return found


class Machine:
    """Context manager: all that is needed on this machine, made once and put back at the end."""
    DEVICES = ""  # of the guest, more than it has by itself

    def __init__(self, options):
        self._options = options
        self._undo = contextlib.ExitStack()
        self._off = self._reopened = False
        self.daemon = self.guest = self.load = self.waits = self._deadman = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise RigError("the benchmarks change scheduling classes and load BPF programs: run them as root")
        with contextlib.ExitStack() as undo:
            self._deadman = undo.enter_context(Deadman())
            undo.enter_context(Libvirtd(self._deadman))
            others = running_domains()
            if others and not self._options.force:
                raise RigError(f"other domains run: {', '.join(others)}. This loads every CPU of the host for minutes and "
                               f"would disturb them: shut them down, or use --force")
            self._start_daemon(undo)
            self._start_guest(undo)
            tids = list(self.guest.vcpu_tids().values())
            self.load = undo.enter_context(Load(tids[0], deadman=self._deadman))
            self.load.pause()
            undo.enter_context(variants.main_thread_budget(self.guest, self._deadman))
            program = f"{self._options.build}/tests/bench/bench-waits"
            self.waits = undo.enter_context(Waits(program, tids, f"/run/pvsched-grid-{os.getpid()}"))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _start_daemon(self, undo):
        if Installed.runs():
            self.daemon = Installed()
            return  # whether its bursts are those wanted is seen when a profile is set
        config = slowed(self._options.slow)
        config["host"]["grant_rt_budget"] = rtbudget.needed()
        self.daemon = undo.enter_context(Daemon(self._options.build, config, self._deadman))

    def _start_guest(self, undo):
        image = self._options.guest_image or guest_image()
        kind = self._options.guest_type or ("kvm" if kvm_works(image) else "qemu")
        self.guest = Guest(DOMAIN, type=kind, vcpus=self._options.vcpus, image=image, deadman=self._deadman, devices=self.DEVICES)
        undo.callback(self.guest.destroy)
        self.guest.create()
        self.guest.wait_ready(BOOT_SECONDS)
        if self._options.vcpus > 1:
            self.guest.command("cpus")
        proc.wait_for(self._known, 20, f"pvschedd to find {DOMAIN}", step=0.2)

    def _known(self):
        return any(domain["name"] == DOMAIN for domain in self.daemon.ctl_json("list")["domains"])

    def conditions(self):
        """What must be alike for rounds to be compared."""
        return {"guest_type": self.guest.type, "vcpus": self._options.vcpus, "cpus": os.cpu_count(),
                "kernel": os.uname().release, "guest_kernel": self.guest.command("uname")["release"],
                "service": isinstance(self.daemon, Installed)}

    @contextlib.contextmanager
    def _applied(self, variant):
        tids = list(self.guest.vcpu_tids().values())
        with contextlib.ExitStack() as undo:
            if self.guest.type == "qemu":
                undo.enter_context(variants.fifo([self.guest.pid]))
            if variant in (VANILLA, STATIC):
                if not self._off:
                    self.daemon.ctl("policy", "set", DOMAIN, "off")
                    self._off = True
            else:
                self._close_breaker()
                undo.enter_context(variants.profile(variant, self.guest, self.daemon))
                self._off = False
                self._check_burst(variant)
            if variant == STATIC:
                undo.enter_context(variants.budget(tids, variants.VCPUS_US, self._deadman))
                undo.enter_context(variants.fifo(tids))
            yield tids

    def _close_breaker(self):
        """After three interventions of its guardian pvschedd boosts nothing: what follows would be vanilla again."""
        self._reopened = self.daemon.ctl_json("status")["breaker"] == "open"
        if self._reopened:
            print("bench: grid: pvschedd's circuit breaker was open, for its guardian had to act three times within ten minutes; "
                  "closed by `pvschedctl enable`", file=sys.stderr)
            self.daemon.ctl("enable")

    def _check_burst(self, profile):
        wanted = slowed(self._options.slow)["profiles"].get(profile)
        has = self.daemon.ctl_json("show", DOMAIN)["domain"]["burst_us"]
        if self._options.slow > 1 and wanted and has != wanted["burst_us"]:
            raise RigError(f"the pvschedd that runs here gives '{profile}' a burst of {has} us, not {wanted['burst_us']}: "
                           f"stop it, so that one with the right configuration is started, or change its configuration")

    def _account(self, variant):
        """Counters of pvschedd for all vCPUs together; {} where it does not look."""
        if variant in (VANILLA, STATIC):
            return {}
        sums = {}
        for vcpu in self.daemon.ctl_json("show", DOMAIN)["domain"]["vcpus"]:
            counters = {name: vcpu[name] for name in ("boosts_total", "throttles_total", "wakeups", "boosted_wakeups",
                                                      "boosted_ns", "run_ns", "halts", "preemptions")}
            counters |= {f"denied {reason}": count for reason, count in vcpu["denied_total"].items()}
            for name, count in counters.items():
                sums[name] = sums.get(name, 0) + count
        return sums

    def _polls(self):
        """(halts of the guest, those of them that ended while KVM still polled, so without any sleep)."""
        found = glob.glob(f"/sys/kernel/debug/kvm/{self.guest.pid}-*")
        if not found:
            return 0, 0
        return tuple(int(proc.read(f"{found[0]}/{name}")) for name in ("halt_exits", "halt_successful_poll"))

    def measure(self, spinners, interval_us, variant, seconds):
        """One cell of the grid: SECONDS of cyclictest with that many spinners per CPU."""
        with self._applied(variant) as tids:
            before = self._account(variant)
            cell = self._run(tids, spinners, interval_us, seconds)
            after = self._account(variant)
        account = {name: after[name] - before.get(name, 0) for name in after}
        cell["account"] = {name: count for name, count in account.items() if count}
        if account and self._reopened:
            cell["account"]["breaker found open"] = 1
        cell["boosted_permille"] = (cell["vcpu_permille"] if variant == STATIC else
                                     round(account.get("boosted_ns", 0) / seconds / 1e6, 2))
        return cell

    def _run(self, tids, spinners, interval_us, seconds):
        def sample():
            return (self.load.used_ns(), sum(map(proc.run_ns, tids)), sum(map(proc.run_ns, self.guest.helper_tids())),
                    busy_ns(), stolen_ns(), *self._polls())

        window = Window(sample, seconds - LEAD_S)
        watch = _Watch(self.waits, window, seconds)
        if spinners:
            self.load.resume(spinners * os.cpu_count())
        time.sleep(SETTLE_S)
        tests = []
        try:
            every_us = interval_us * self._options.host_every
            tests += [HostCyclictest(seconds, every_us), HostCyclictest(seconds, every_us, HOST_FIFO)]
            answer = self.guest.command(f"cyclictest {interval_us} 1000000000 {seconds}", seconds=seconds + 60,
                                        on_mark=watch.mark)
            self.load.pause()
            other, fifo = (one.result() for one in tests)
            records = watch.records()
            *shares, halts, polled = window.permille()
        finally:
            self.load.pause()
            watch.cancel()
            for one in tests:
                one.close()
        if not records:
            raise RigError("no vCPU ran while it was watched: the guest was starved; give --seconds more")
        load, vcpu, helper, busy, stolen = (round(share, 2) for share in shares)
        return {"guest": _latencies(from_guest(answer)), "host": _latencies(other), "host_fifo": _latencies(fifo),
                **_of_records(records),
                "load_permille": load, "vcpu_permille": vcpu, "helper_permille": helper,
                "foreign_permille": round(max(0.0, busy - load - vcpu - helper), 2),
                "stolen_permille": stolen,
                # permille() takes them for nanoseconds
                "halts_per_s": round(halts * 1e6, 1), "polled_per_s": round(polled * 1e6, 1),
                "window_s": seconds - LEAD_S}


class _Watch:
    """Lets the instrument record from LEAD_S after the guest's "start" until SECONDS after it."""

    def __init__(self, waits, window, seconds):
        self._waits, self._window = waits, window
        self._records, self._error = [], None
        self._timers = [threading.Timer(LEAD_S, self._begin), threading.Timer(seconds, self._end)]

    def mark(self, text):
        if text == "start":
            for timer in self._timers:
                timer.start()

    def _begin(self):
        self._guarded(self._waits.start)
        self._guarded(lambda: self._window.mark("start"))

    def _end(self):
        self._guarded(lambda: self._records.extend(self._waits.stop()))

    def _guarded(self, step):
        try:
            step()
        except (RigError, OSError, ValueError) as error:
            self._error = self._error or error

    def records(self):
        for timer in self._timers:
            timer.join(60)
        if self._error:
            raise RigError(f"the vCPUs could not be watched: {self._error}")
        return self._records

    def cancel(self):
        for timer in self._timers:
            timer.cancel()
        self._window.cancel()


def _latencies(one):
    return {"histogram": {str(us): count for us, count in sorted(one.histogram.items()) if count}, "cycles": one.cycles,
            "avg_us": round(one.avg_us(), 2), "max_us": one.max_us}


def _of_records(records):
    woken = [record for record in records if record[8] == WOKEN]
    boosted = [record for record in woken if record[5] < REAL_TIME]
    return {"wake": delays([record[1] for record in woken]),
            "wake_boosted": delays([record[1] for record in boosted]),
            "preempted": delays([record[1] for record in records if record[8] != WOKEN]),
            "stint": delays([record[2] for record in records]),
            "boosted_wakes": len(boosted), "slowest": slowest(woken)}


def slowed(times):
    """Configuration in which every burst is that many times as long as shipped, as far as pvschedd allows; RigError if it
    is not 1 to 20 times."""
    if not 1 <= times <= 20:
        raise RigError("--slow: 1 to 20")
    return {"host": {"cpu_burst_us": min(20_000, 3000 * times), "domain_burst_us": min(100_000, 2000 * times)},
            "profiles": {"interactive": {"share_permille": 100, "burst_us": min(BURST_US_MAX, 200 * times)},
                         "latency": {"share_permille": 200, "burst_us": min(BURST_US_MAX, 500 * times)}}}


def spinners_of(load):
    """{idle, busy-1, busy-2, busy} in spinners per CPU."""
    return {"idle": 0, "busy": PER_CPU}.get(load) if load in ("idle", "busy") else int(load.removeprefix("busy-"))
