# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of `host`: vCPUs that contend for the CPUs with each other, with what works for them and with the host's load."""

import contextlib
import os
import time
from dataclasses import dataclass

from rig import measure, proc, rtbudget, variants
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest
from rig.libvirtd import Libvirtd, running_domains
from rig.load import Load
from rig.proc import RigError

VCPUS = 4
# hackbench's groups of 40 tasks, and messages of each: a third of a second under emulation
GROUPS, LOOPS = 1, 10
HACKBENCH = f"hackbench {GROUPS} {LOOPS}"
RUNS = 12  # of each variant in a round
VARIANTS = ("untouched", *variants.PROFILES)
# Of a variant's turn: so long is let pass, which is five times the longest back-off, and so long is measured.
SETTLE_S, PART_S = 0.1, 0.4
_SECONDS_MAX = 300
_BOOT_SECONDS = 90  # in an emulated host it takes up to a minute


@dataclass
class Used:
    """CPU time until now, in ns."""
    at_ns: int   # wall time
    busy_ns: int  # all of the machine's
    load_ns: int
    guest_ns: int  # vCPUs, and threads that work for them
    server_ns: int


@dataclass
class Part:
    """What was done, and at what price, in all turns of a variant; times in ns."""
    work: int = 0
    wall_ns: int = 0
    account_ns: int = 0  # wall time of what follows
    elevated_ns: int = 0
    sheds: int = 0
    behind_max_us: int = 0
    guest_ns: int = 0
    load_ns: int = 0
    foreign_ns: int = 0

    def figures(self):
        def permille(ns):
            return 1000 * ns / self.account_ns

        return {"work_per_s": 1e9 * self.work / self.wall_ns, "elevated_permille": permille(self.elevated_ns),
                "guest_permille": permille(self.guest_ns), "load_permille": permille(self.load_ns),
                "foreign_permille": permille(self.foreign_ns),
                "helper_sheds_per_s": 1e9 * self.sheds / self.account_ns, "helper_behind_max_us": self.behind_max_us}


def _profile(variant):
    """Untouched vCPUs are not even traced."""
    return "off" if variant == "untouched" else variant


class Contended:
    """Context manager: guest, daemon and load, made once.

    guest     what Guest takes besides name and vcpus
    """

    def __init__(self, options, vcpus=VCPUS, **guest):
        self._options = options
        self._vcpus, self._guest_options = vcpus, guest
        self._undo = contextlib.ExitStack()
        self.guest = self._daemon = self._load = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            deadman = undo.enter_context(Deadman())
            undo.enter_context(Libvirtd(deadman))
            others = running_domains()
            if others and not self._options.force:
                raise RigError(f"other domains run, and this would disturb them: {', '.join(others)}; use --force")
            # what the budget of a group that is shared by all vCPUs has room for is said by the caps
            config = {"default_profile": "observe", "host": {"grant_rt_budget": rtbudget.needed()}}
            self._daemon = undo.enter_context(Daemon(self._options.build, config, deadman))
            self.guest = Guest("pvsched-contended", vcpus=self._vcpus, deadman=deadman, **self._guest_options)
            undo.callback(self.guest.destroy)
            self.guest.create()
            self.guest.wait_ready(_BOOT_SECONDS)
            self.guest.command("cpus")
            self._load = undo.enter_context(Load(next(iter(self.guest.vcpu_tids().values())), deadman=deadman))
            self._load.pause()
            proc.wait_for(lambda: any(one["name"] == self.guest.name for one in self._daemon.ctl_json("list")["domains"]), 20,
                          f"pvschedd to find {self.guest.name}")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _helpers(self):
        """QEMU's threads that are no vCPUs, and the kernel's that carry packets for it, which before Linux 6.4 are none of it."""
        return [*self.guest.helper_tids(), *proc.pids_by_name(f"vhost-{self.guest.pid}")]

    def place(self, apart, servers):
        """vCPU N on the host's CPU N, the load spread evenly; on CPU 0 those who work for the guest, too, or APART from vCPU 0,
        on the next one, where the SERVERS are that it speaks with."""
        cpus = sorted(os.sched_getaffinity(0))
        first, second = cpus[0], cpus[1 % len(cpus)]
        for index, tid in (*self.guest.vcpu_tids().items(), *enumerate(self._load.pids())):
            os.sched_setaffinity(tid, {cpus[index % len(cpus)]})
        for tid in self._helpers():
            os.sched_setaffinity(tid, {second if apart else first})
        for tid in servers:
            os.sched_setaffinity(tid, {second})

    def _used(self, servers):
        return Used(time.monotonic_ns(), measure.busy_ns(), self._load.used_ns(),
                    sum(map(proc.run_ns, (*self.guest.vcpu_tids().values(), *self._helpers()))), sum(map(proc.run_ns, servers)))

    def _account(self):
        """(ns that the vCPUs ran elevated, boosts that ended for a helper; the longest wait of one behind them, in us)."""
        domain = self._daemon.ctl_json("show", self.guest.name)["domain"]
        return (sum(vcpu["elevated_ns"] for vcpu in domain["vcpus"]),
                sum(vcpu["denied_total"].get("helper", 0) for vcpu in domain["vcpus"]),
                max((helper.get("behind_max_us", 0) for helper in domain["helpers"]), default=0))

    def _machine(self):
        return {"guest_type": self.guest.type, "cpus": os.cpu_count()}

    def measure(self, variant, command):
        """(the guest's answer to COMMAND, one that marks its start and its end; a dict of what it cost), beside the load,
        which begins when the guest says that it starts."""
        moments = {}

        def mark(text):
            if text == "start":
                self._load.resume()
            moments[text] = self._used(())
            if text == "end":
                self._load.pause()  # an answer may take long to come through the port

        with variants.profile(_profile(variant), self.guest, self._daemon):
            elevated_ns, _, _ = self._account()
            try:
                answer = self.guest.command(command, seconds=_SECONDS_MAX, on_mark=mark)
            finally:
                self._load.pause()
            elevated_ns = self._account()[0] - elevated_ns
        start, end = moments["start"], moments["end"]
        return answer, self._machine() | {name: 1000 * ns / (end.at_ns - start.at_ns) for name, ns in (
            ("elevated_permille", elevated_ns), ("guest_permille", end.guest_ns - start.guest_ns),
            ("load_permille", end.load_ns - start.load_ns))}

    def take_turns(self, command, seconds, work, order, servers=(), begun=lambda: None):
        """{variant: figures of Part, and of what machine}: the guest carries out COMMAND once, and all variants take turns
        meanwhile, beside the load.

        command   a format for the seconds that it takes; one that marks its start
        seconds   for so long; as many turns of all as there is time for
        work      how much is done, a number that rises
        order     of random.Random: of the variants in each turn
        servers   pids of others that belong to what is measured
        begun     waits until what was started really has begun
        """
        parts = {variant: Part() for variant in VARIANTS}

        def mark(text):
            if text != "start":
                return
            begun()
            end, took_s = time.monotonic() + seconds, 0
            self._load.resume()
            try:
                while not took_s or time.monotonic() + 1.5 * took_s < end:
                    begin = time.monotonic()
                    for variant in order.sample(VARIANTS, len(VARIANTS)):
                        self._turn(variant, parts[variant], work, servers)
                    took_s = time.monotonic() - begin
            finally:
                self._load.pause()
            if time.monotonic() > end:
                raise RigError(f"a turn of '{command}' took {took_s:.1f} s, and there are only {seconds} s: give --seconds more")

        with variants.profile("off", self.guest, self._daemon):
            self.guest.command(command.format(seconds=seconds), seconds=_SECONDS_MAX, on_mark=mark)
        return {variant: self._machine() | part.figures() for variant, part in parts.items()}

    def _turn(self, variant, part, work, servers):
        self._daemon.ctl("policy", "set", self.guest.name, _profile(variant))
        time.sleep(SETTLE_S)
        account, first = self._account(), self._used(servers)
        from_ns, done = time.monotonic_ns(), work()
        time.sleep(PART_S)
        part.wall_ns += time.monotonic_ns() - from_ns
        part.work += work() - done
        last, now = self._used(servers), self._account()
        part.account_ns += last.at_ns - first.at_ns
        part.guest_ns += last.guest_ns - first.guest_ns
        part.load_ns += last.load_ns - first.load_ns
        part.foreign_ns += max(0, last.busy_ns - first.busy_ns - (last.load_ns - first.load_ns) - (last.guest_ns - first.guest_ns)
                               - (last.server_ns - first.server_ns))
        part.elevated_ns += now[0] - account[0]
        part.sheds += now[1] - account[1]
        part.behind_max_us = max(part.behind_max_us, now[2])
