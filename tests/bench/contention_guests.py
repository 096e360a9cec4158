# SPDX-License-Identifier: GPL-2.0-or-later
"""Several real guests that contend for the host's CPUs: all have the same load at the same time."""

import concurrent.futures
import contextlib
import os
import threading
import time

from rig import proc, rtbudget, stats, variants
from rig.proc import RigError

from . import real_guest
from .grid_host import slowed

UNTOUCHED, AGAIN, SLICE, AVOID, AVOID_ONE = "untouched", "untouched-again", "slice", "avoid", "avoid-one"
LATENCY, THROUGHPUT = "latency", "throughput"
# again: the same as untouched, so that it is seen what the rounds cannot tell
VARIANTS = (UNTOUCHED, AGAIN, SLICE, LATENCY, THROUGHPUT, AVOID, AVOID_ONE)
AVOIDING = (AVOID, AVOID_ONE)
PROFILES = {
    # a slice alone: nothing is ever boosted
    SLICE: {"mode": "boost", "share_permille": 10, "burst_us": 50, "levers": ["slice"]},
    AVOID: {"mode": "observe", "avoid": "auto"},
}
MEMBARRIER, DBENCH, HACKBENCH, PIPELINE, NEIGHBOUR, WAKERS = LOADS = (
    "membarrier", "dbench", "hackbench", "pipeline", "neighbour", "wakers")
LATENCIES = (MEMBARRIER, WAKERS)
# A message thread for each CPU of the host, with as many workers as there are vCPUs; each computes for a third of the
# time if it need not wait.
_WORK_US, _PAUSE_US = 300, 600
_LOOPS = 10  # of hackbench's one group: a third of a second under emulation
_MEMORY_MIB = 448
_SETTLE_S = 0.3
# So long the governor, the agent and the guest need before vCPUs are avoided.
_MOVE_S = 8
_BOOT_S = 60  # for each guest


def command(load, vcpus, seconds, slow):
    """What a guest is told."""
    if load == DBENCH:
        return f"dbench {vcpus} {seconds}"
    if load == HACKBENCH:
        return f"hackbench 1 {_LOOPS} {seconds}"
    if load == WAKERS:
        return f"wakers {os.cpu_count()} {vcpus} {_WORK_US * slow} {_PAUSE_US * slow} {seconds}"
    return f"{'pipeline' if load == NEIGHBOUR else load} {seconds}"


def rate(load, answer):
    """Work done in a second."""
    if load == DBENCH:
        return answer["mb_per_s"]
    if load == MEMBARRIER:
        return answer["cycles"]  # of as many seconds as the others
    done = {HACKBENCH: "runs", WAKERS: "requests"}.get(load, "blocks")
    return 1e6 * answer[done] / answer["us"]


class Window:
    """From when the last guest has begun until the first one ends."""

    def __init__(self, guests, begins, ends, sample):
        self._left, self._lock = guests, threading.Lock()
        self._begins, self._ends, self._sample = begins, ends, sample
        self._first = self._last = None

    def mark(self, text):
        with self._lock:
            if text == "start":
                self._left -= 1
                if self._left == 0:
                    self._begins()
                    self._first = self._sample()
            elif text == "end" and self._last is None:
                self._last = self._sample()
                self._ends()

    def since(self):
        """[ns of wall time, ...] between the two samples."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            raise RigError("a guest had ended before another one began: give --seconds more")
        return [last - first for first, last in zip(self._first, self._last)]


class Guests:
    """Context manager: VMS guests of VCPUS each, the daemon, and the host's load, made once."""

    def __init__(self, options, vms, vcpus, image):
        self._options, self._vms, self._vcpus, self._image = options, vms, vcpus, image
        self._undo = contextlib.ExitStack()
        self.guests = self._daemon = self._load = None
        self.skipped = {}

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            config = slowed(self._options.slow)
            config["default_profile"] = "observe"
            config["profiles"] |= PROFILES
            config["host"]["grant_rt_budget"] = rtbudget.needed()
            names = [f"pvsched-contends-{number}" for number in range(self._vms)]
            self._daemon, self.guests, self._load = undo.enter_context(real_guest.several(
                self._options, config, names, boot_s=_BOOT_S * self._vms, per_cpu=1, vcpus=self._vcpus,
                memory_mib=_MEMORY_MIB, image=self._image))
            for guest in self.guests:
                guest.command("cpus")
            self._look_what_there_is()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _look_what_there_is(self):
        """Fills what is left out, with the reason."""
        slices = self._daemon.ctl_json("status")["levers"]["slice"]
        if not slices["available"]:
            self.skipped[SLICE] = slices["detail"]
        try:
            self._daemon.ctl("policy", "set", self.guests[0].name, THROUGHPUT)
            self._daemon.ctl("policy", "set", self.guests[0].name, "observe")
        except RigError as error:
            self.skipped[THROUGHPUT] = str(error)
        missing = self._agents_missing()
        if missing:
            self.skipped |= {name: missing for name in AVOIDING}

    def _agents_missing(self):
        """Starts the guests' agents. Why no guest can avoid a vCPU; None if all can."""
        for guest in self.guests:
            try:
                guest.command('agent settings {"step_aside":"host"}')
                guest.command("agent start")
                self._daemon.ctl("attach", guest.name, "--agent", "--live")
                proc.wait_for(lambda g=guest: g.command("agent status")["status"]["channel"]["served"], 20,
                              f"{guest.name}'s agent to be served", step=0.3)
                aside = guest.command("agent status")["status"].get("step_aside", {"reason_text": "its agent does not know how"})
            except RigError as error:
                return f"no agent steps aside in the guests: {error}"
            if "reason_text" in aside:
                return f"{guest.name} cannot step aside: {aside['reason_text']}"
        return None

    def kinds(self):
        return {"guest_type": self.guests[0].type, "guest_kernel": self.guests[0].command("uname")["release"]}

    @contextlib.contextmanager
    def _applied(self, variant):
        with contextlib.ExitStack() as undo:
            for number, guest in enumerate(self.guests):
                name = AVOID if variant == AVOID_ONE and number == 0 else variant
                if name in (UNTOUCHED, AGAIN, AVOID_ONE):
                    name = "off"
                undo.enter_context(variants.profile(name, guest, self._daemon))
            time.sleep(_SETTLE_S)
            yield

    def _sum(self, name):
        """Of all vCPUs; None if the daemon does not say it."""
        found = [vcpu[name] for guest in self.guests for vcpu in self._daemon.ctl_json("show", guest.name)["domain"]["vcpus"]
                 if name in vcpu]
        return sum(found) if found else None

    def _ipis(self):
        """(those that the guests' CPUs got, those that the tracer saw of these or None)."""
        return sum(guest.command("interrupts")["ipis"] for guest in self.guests), self._sum("ipis_seen_total")

    def _all(self, text, seconds, mark=None):
        """Answers of all guests to the same command at the same time."""
        with concurrent.futures.ThreadPoolExecutor(len(self.guests)) as pool:
            return list(pool.map(lambda guest: guest.command(text, seconds=seconds + 120, on_mark=mark), self.guests))

    def measure(self, variant, load, seconds):
        """What one load does under one variant."""
        with self._applied(variant):
            if variant in AVOIDING:
                self._all(command(load, self._vcpus, _MOVE_S, self._options.slow), _MOVE_S)
            return self._measure(load, seconds)

    def _measure(self, load, seconds):
        tids = [list(guest.vcpu_tids().values()) for guest in self.guests]
        beside = load == NEIGHBOUR
        window = Window(len(self.guests), self._load.resume if beside else lambda: None, self._load.pause, lambda: (
            time.monotonic_ns(), self._load.used_ns(), *(sum(map(proc.run_ns, those)) for those in tids)))
        boosted = self._sum("boosted_ns") or 0
        ipis = self._ipis() if load == MEMBARRIER else None
        try:
            answers = self._all(command(load, self._vcpus, seconds, self._options.slow), seconds, window.mark)
        finally:
            self._load.pause()
        wall_ns, load_ns, *guest_ns = window.since()
        cell = {"rate": sum(rate(load, answer) for answer in answers), "rates": [round(rate(load, answer), 4) for answer in answers],
                "guest_permille": [round(1000 * ns / wall_ns, 1) for ns in guest_ns],
                "boosted_permille": round(((self._sum("boosted_ns") or 0) - boosted) / seconds / 1e6, 2)}
        if beside:
            cell["neighbour_permille"] = round(1000 * load_ns / wall_ns, 2)
        if load in LATENCIES:
            cell["latency"] = stats.merge(map(stats.from_guest, answers)).summary()
            cell["latencies"] = [stats.from_guest(answer).summary() for answer in answers]
        if ipis:
            got, seen = self._ipis()
            cell |= {"ipis": got - ipis[0], "ipis_seen": None if seen is None else seen - ipis[1]}
        return cell
