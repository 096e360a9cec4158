# SPDX-License-Identifier: GPL-2.0-or-later
"""The first screen of the demo: what an administrator would do with a VM that is slow to react, and what it gives."""

import concurrent.futures
import os
import time

from rig import proc, variants
from rig.measure import measure

# A guest that wants more than this of a CPU is no example of one that fits into its budget.
DEMAND_PERMILLE = 120
# A measurement has enough wake-ups; what it saw comes to the daemon a moment later.
LEARN_S = 20
# `pvschedctl latency` watches what runs instead for 5 s.
LATENCY_S = 7


def say(text=""):
    print(text, flush=True)


def interval_for(vcpu_permille, interval_us):
    """The period of the guest's timer at which it demands at most DEMAND_PERMILLE, by what it took at INTERVAL_US."""
    times = -(-vcpu_permille // DEMAND_PERMILLE)
    return interval_us * max(1, int(times))


def figures(result):
    guest = result.guest.summary()
    return f"average {guest['avg_us']:.0f} us, p50 {guest['p50_us']:.0f}, p99 {guest['p99_us']:.0f}, worst {guest['max_us']:.0f}"


class Story:
    """tell() leaves the domain without a policy of its own, and the load paused."""

    def __init__(self, guest, load, daemon, deadman, seconds):
        self._guest, self._load, self._daemon, self._deadman = guest, load, daemon, deadman
        self._seconds = seconds
        self.interval_us = variants.INTERVAL_US

    def tell(self):
        say()
        say("== 1. pvschedd starts beside a guest that runs, and observes. The guest runs cyclictest beside the load:")
        self._daemon.stop()  # what it saw of the boot is no demand of that guest
        self._daemon.start()
        self._wait_known()
        before = self._measure()
        if self._lengthen(before):
            before = self._measure()
        say(f"   wake-up latency in the guest: {figures(before)}")
        say()
        say("== 2. What would help?")
        try:
            if self._apply():
                self._apply_again()
                self._tell_gain(before)
        finally:
            self._daemon.ctl("policy", "unset", self._guest.name, check=False)
        say()
        say("== 5. The same as a comparison: several rounds, other profiles, and static FIFO")

    def _apply_again(self):
        """A guest that waits for long does several timers' work in one piece; boosted, it shows what it needs."""
        self._measure()
        say()
        say("   and again, after it ran boosted, which shows better what it needs:")
        self._apply()

    def _tell_gain(self, before):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._measure, LATENCY_S)
            time.sleep(1)  # it has begun to measure; what comes before is nothing to look at
            latency = self._ask("latency")
            after = running.result()
        say()
        say("== 3. The same guest, which went on running; its XML is unchanged:")
        say(f"   wake-up latency in the guest: {figures(after)}")
        self._say_price(before, after)
        say()
        say("== 4. How long its vCPU waited for a CPU, now and before, and what ran instead:")
        self._show(latency)

    def _wait_known(self):
        tids = set(self._guest.vcpu_tids().values())
        proc.wait_for(lambda: tids <= self._daemon.known_tids(), 10, f"pvschedd to find the vCPUs of {self._guest.name}",
                      step=0.2)

    def _measure(self, seconds=None):
        tids = list(self._guest.vcpu_tids().values())
        with variants.applied(variants.UNTOUCHED, self._guest, self._daemon, self._deadman):
            seconds = seconds or self._seconds
            return measure(self._guest, self._load, variants.command(variants.UNTOUCHED, seconds, self.interval_us),
                           seconds, lambda: self._daemon.boosted_ns(tids))

    def _lengthen(self, result):
        """Whether the guest's timer is slower from now on, since this machine leaves less to it."""
        self.interval_us = interval_for(result.vcpu_permille, variants.INTERVAL_US)
        if self.interval_us == variants.INTERVAL_US:
            return False
        say(f"   A wake-up each {variants.INTERVAL_US} us takes {result.vcpu_permille:.0f} permille of a CPU on this machine, "
            f"more than a boost pays for: so the guest's timer has {self.interval_us} us")
        return True

    def _ask(self, verb, *options):
        """The lines of a command and of its answer."""
        answer = self._daemon.ctl(verb, self._guest.name, *options, check=False)
        return [f"$ pvschedctl {' '.join((verb, self._guest.name, *options))}", *answer.rstrip().splitlines()]

    def _show(self, lines):
        for line in lines:
            say(f"   {line}")

    def _apply(self):
        """Whether something is recommended, or in force."""
        answer = proc.wait_for(self._learned, LEARN_S, "pvschedd to have seen enough wake-ups", step=1)
        self._show(self._ask("recommend", "--apply"))
        return answer["verdict"] in ("boost", "part", "keep")

    def _learned(self):
        answer = self._daemon.ctl_json("recommend", self._guest.name)
        return answer if answer["verdict"] != "unknown" else None

    def _say_price(self, before, after):
        loss = (before.load_permille - after.load_permille) / before.load_permille * 100
        say(f"   price: the vCPU ran as a real-time thread for {after.boosted_permille:.0f} permille of one CPU's time; "
            f"the load on {os.cpu_count()} CPUs got {abs(loss):.1f} % {'less' if loss > 0 else 'more'} CPU time")
