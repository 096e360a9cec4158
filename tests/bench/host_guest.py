# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of `host`: vCPUs that contend for the CPUs with each other, with what works for them and with the host's load."""

import contextlib
import operator
import os
import time
from dataclasses import dataclass, field

from rig import measure, proc, rtbudget, variants
from rig.proc import RigError

from . import guest_variants, real_guest
from .grid_host import Waits, rounded
from .guest_variants import FOLLOW, ONE_GROUP, STATIC

VCPUS = 4
# hackbench's groups of 40 tasks, and messages of each: a third of a second under emulation
GROUPS, LOOPS = 1, 10
HACKBENCH = f"hackbench {GROUPS} {LOOPS}"
RUNS = 12  # of each variant in a round
UNTOUCHED = variants.UNTOUCHED  # not even traced
VARIANTS = (UNTOUCHED, *variants.PROFILES)
# Of a variant's turn: so long is let pass, which is five times the longest back-off, and so long is measured. The turn is
# twice as long with the programs that are started for it, and in an emulated host some seconds.
SETTLE_S, PART_S = 0.1, 0.4
_SECONDS_MAX = 300


@dataclass
class Used:
    """CPU time until now; times in ns."""
    at_ns: int   # wall time
    busy_ns: int  # all of the machine's, in ticks
    load_ns: int
    guest_ns: dict  # {tid: CPU time} of vCPUs and of threads that work for them; some of these come and go
    server_ns: int

    def guest_since(self, first):
        return sum(ns - first.guest_ns.get(tid, 0) for tid, ns in self.guest_ns.items())


@dataclass
class Account:
    """What the daemon says until now."""
    at_ns: int
    boosted_ns: int  # of all vCPUs
    sheds: int  # boosts that ended for a helper
    behind_max_us: int  # the longest wait of a helper behind a boosted vCPU, since the vCPUs are boosted


@dataclass
class Part:
    """What was done, and at what price, in all turns of a variant; times in ns."""
    work: int = 0
    wall_ns: int = 0
    used_wall_ns: int = 0  # of the next three
    guest_ns: int = 0
    load_ns: int = 0
    foreign_ns: int = 0
    account_wall_ns: int = 0  # of the next two
    boosted_ns: int = 0
    sheds: int = 0
    behind_max_us: int = 0
    behind: dict = field(default_factory=dict)  # {us: waits of helpers that ended when a vCPU of their domain left the CPU}

    def add(self, other):
        for name, value in vars(other).items():
            setattr(self, name, _SUMS.get(name, operator.add)(getattr(self, name), value))

    def figures(self):
        return {"work_per_s": 1e9 * self.work / self.wall_ns, "boosted_permille": 1000 * self.boosted_ns / self.account_wall_ns,
                "guest_permille": 1000 * self.guest_ns / self.used_wall_ns, "load_permille": 1000 * self.load_ns / self.used_wall_ns,
                "foreign_permille": max(0, 1000 * self.foreign_ns / self.used_wall_ns),
                "helper_sheds_per_s": 1e9 * self.sheds / self.account_wall_ns, "helper_behind_max_us": self.behind_max_us,
                "helper_behind": {str(us): count for us, count in self.behind.items()}}


def add_counts(one, other):
    return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other}, key=float)}


_SUMS = {"behind_max_us": max, "behind": add_counts}


class Contended:
    """Context manager: guest, daemon and load, made once.

    wanted    variants; those that cannot be had here are in left_out, with the reason
    watched   what the guest's helpers wait for is written down, for all variants alike
    guest     what Guest takes besides name and vcpus
    """

    def __init__(self, options, vcpus=VCPUS, wanted=VARIANTS, watched=False, **guest):
        self._watched, self._waits = watched, None
        self._options = options
        self._vcpus, self._guest_options = vcpus, guest
        self.left_out = guest_variants.lacking(options.build, wanted)
        self.variants = [variant for variant in wanted if variant not in self.left_out]
        self._undo = contextlib.ExitStack()
        self.guest = self._daemon = self._load = self._only_cpu = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            # what the budget of a group that is shared by all vCPUs has room for is said by the caps
            more = guest_variants.follow(self._options.slow) if FOLLOW in self.variants else {}
            config = guest_variants.config(self._options.slow, **more)
            config["host"]["grant_rt_budget"] = rtbudget.needed()
            self._daemon, self.guest, self._load = undo.enter_context(real_guest.running(
                self._options, config, "pvsched-contended", vcpus=self._vcpus, **self._guest_options))
            self.guest.command("cpus")
            if self._watched:
                self._waits = undo.enter_context(Waits(f"{self._options.build}/tests/bench/bench-waits", self._helpers(),
                                                       f"/run/pvsched-helpers-{os.getpid()}"))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _helpers(self):
        """QEMU's threads that are no vCPUs, and the kernel's that carry packets for it, which before Linux 6.4 are none of it."""
        return [*self.guest.helper_tids(), *proc.pids_by_name(f"vhost-{self.guest.pid}")]

    def place(self, apart, servers):
        """Pins vCPU N to the host's CPU N, with the load spread evenly. The guest's helpers are on CPU 0, too, or APART
        from vCPU 0 on the next one. The SERVERS that it speaks with are on the one after, or the last one."""
        cpus = sorted(os.sched_getaffinity(0))
        self._only_cpu = None if apart else cpus[0]
        for index, tid in (*self.guest.vcpu_tids().items(), *enumerate(self._load.pids())):
            os.sched_setaffinity(tid, {cpus[index % len(cpus)]})
        for tid in self._helpers():
            with contextlib.suppress(ProcessLookupError):  # some come and go
                os.sched_setaffinity(tid, {cpus[apart % len(cpus)]})
        for tid in servers:
            os.sched_setaffinity(tid, {cpus[:3][-1]})

    def _used(self, servers):
        guest = {}
        for tid in (*self.guest.vcpu_tids().values(), *self._helpers()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                guest[tid] = proc.run_ns(tid)
        return Used(time.monotonic_ns(), measure.busy_ns(), self._load.used_ns(), guest, sum(map(proc.run_ns, servers)))

    def _account(self):
        domain = self._daemon.ctl_json("show", self.guest.name)["domain"]
        return Account(time.monotonic_ns(), sum(vcpu["boosted_ns"] for vcpu in domain["vcpus"]),
                       sum(vcpu["denied_total"].get("helper", 0) for vcpu in domain["vcpus"]),
                       max((helper.get("behind_max_us", 0) for helper in domain["helpers"]), default=0))

    def _machine(self):
        return {"guest_type": self.guest.type, "cpus": os.cpu_count()}

    def measure(self, variant, command):
        """(the guest's answer to COMMAND, one that marks its start and its end; a dict of what it cost), beside the load,
        which begins when the guest says that it starts."""
        used, accounts = {}, {}

        def mark(text):
            if text == "start":
                self._load.resume()
            used[text] = self._used(())
            if text == "end":
                self._load.pause()  # an answer may take long to come through the port
            accounts[text] = self._account()

        with variants.profile("off" if variant == UNTOUCHED else variant, self.guest, self._daemon):
            try:
                answer = self.guest.command(command, seconds=_SECONDS_MAX, on_mark=mark)
            finally:
                self._load.pause()
        wall_ns = used["end"].at_ns - used["start"].at_ns
        boosted_ns, account_wall_ns = (getattr(accounts["end"], name) - getattr(accounts["start"], name)
                                        for name in ("boosted_ns", "at_ns"))
        return answer, self._machine() | {
            "boosted_permille": 1000 * boosted_ns / account_wall_ns,
            "guest_permille": 1000 * used["end"].guest_since(used["start"]) / wall_ns,
            "load_permille": 1000 * (used["end"].load_ns - used["start"].load_ns) / wall_ns}

    def take_turns(self, command, seconds, work, order, servers=(), begun=lambda: None):
        """{variant: figures of Part, and of what machine}: the guest carries out COMMAND once, and all variants take turns
        meanwhile, beside the load.

        command   a format for the seconds that it takes; one that marks its start
        seconds   for so long, of which an eighth does not count: until load, caches and a stream's windows are as they will be
        work      how much is done, a number that rises
        order     of random.Random: of the variants in each turn
        servers   pids of others that belong to what is measured
        begun     waits until what was started really has begun
        """
        parts = {variant: Part() for variant in self.variants}

        def mark(text):
            if text != "start":
                return
            begun()
            end = time.monotonic() + seconds
            self._load.resume()
            try:
                time.sleep(seconds / 8)
                self._turns(parts, end, work, order, servers)
            finally:
                self._load.pause()

        with variants.profile("off", self.guest, self._daemon):
            self.guest.command(command.format(seconds=seconds), seconds=_SECONDS_MAX, on_mark=mark)
        for variant, part in parts.items():
            if not part.work:
                raise RigError(f"no whole turn of '{command}' within {seconds} s in which the guest did something while it was {variant}: "
                               "give --seconds more")
        return {variant: self._machine() | part.figures() for variant, part in parts.items()}

    def _turns(self, parts, end, work, order, servers):
        """As many as there is time for; one that is not over at its end does not count."""
        begin, took_s = time.monotonic(), 0
        while begin + took_s < end:
            turn = {variant: self._turn(variant, work, servers) for variant in order.sample(self.variants, len(self.variants))}
            took_s, begin = time.monotonic() - begin, time.monotonic()
            if begin > end:
                return
            for variant, part in turn.items():
                parts[variant].add(part)

    @contextlib.contextmanager
    def _as(self, variant):
        """The domain's threads are scheduled like that meanwhile."""
        boosts = variant not in (UNTOUCHED, ONE_GROUP, STATIC)
        # first off: between two that boost, a maximum would be that of both
        for profile in ("off", variant) if boosts else ("off",):
            self._daemon.ctl("policy", "set", self.guest.name, profile)
        vcpus = list(self.guest.vcpu_tids().values())
        with contextlib.ExitStack() as undo:
            if variant == ONE_GROUP:
                undo.enter_context(guest_variants.one_group([*vcpus, *self._helpers()], self.guest.pid, self._only_cpu))
            if variant == STATIC:
                undo.enter_context(guest_variants.static_budget(vcpus))
                undo.enter_context(variants.fifo(vcpus))
            yield

    def _behind(self):
        """{us: waits}"""
        vcpus, found = set(self.guest.vcpu_tids().values()), {}
        for _, wait_ns, _, _, before_tid, *_ in self._waits.stop():
            if before_tid in vcpus:
                us = rounded(wait_ns / 1000)
                found[us] = found.get(us, 0) + 1
        return found

    def _turn(self, variant, work, servers):
        with self._as(variant):
            time.sleep(SETTLE_S)
            account, first = self._account(), self._used(servers)
            if self._waits:
                self._waits.start()
            from_ns, done = time.monotonic_ns(), work()
            time.sleep(PART_S)
            wall_ns, done = time.monotonic_ns() - from_ns, work() - done
            behind = self._behind() if self._waits else {}
            last, now = self._used(servers), self._account()
        load_ns, guest_ns = last.load_ns - first.load_ns, last.guest_since(first)
        return Part(work=done, wall_ns=wall_ns, used_wall_ns=last.at_ns - first.at_ns, guest_ns=guest_ns, load_ns=load_ns,
                    foreign_ns=last.busy_ns - first.busy_ns - load_ns - guest_ns - (last.server_ns - first.server_ns),
                    account_wall_ns=now.at_ns - account.at_ns, boosted_ns=now.boosted_ns - account.boosted_ns,
                    sheds=now.sheds - account.sheds, behind_max_us=now.behind_max_us, behind=behind)
