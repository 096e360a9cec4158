# SPDX-License-Identifier: GPL-2.0-or-later
"""What `hints` measures on the machine it runs on: the guest of `grid`, with pvsched-agent in it and ordinary work beside
its real-time task."""

import contextlib
import glob

from rig import proc
from rig.proc import RigError

from . import grid_host
from .grid_host import DOMAIN, STATIC, VANILLA

LATENCY, LATENCY_AGENT, URGENT_ONLY_AGENT = "latency", "latency+agent", "urgent-only+agent"
WITHOUT, WITH = (VANILLA, LATENCY, STATIC), (LATENCY_AGENT, URGENT_ONLY_AGENT)  # the agent
# The real-time task wakes that often; ordinary work of the same CPU is due by a timer, too.
INTERVAL_US, WORK_US, WORK_PERIOD_US = 2000, 300, 2800
SWITCHES = 10_000
# An emulated guest takes seconds to load a BPF program.
AGENT_SECONDS, COMMAND_SECONDS = 60, 200


class Machine(grid_host.Machine):
    """Context manager: all that is needed on this machine."""
    DEVICES = "<vsock model='virtio'><cid auto='yes'/></vsock>"

    def __init__(self, options):
        super().__init__(options)
        self._slow, self._agent = options.slow, 0

    def _observe(self):
        """Nothing is boosted, and the hints are used: with `off` no host takes them."""
        self.daemon.ctl("policy", "set", DOMAIN, "observe")
        self._off = False

    def start_agent(self):
        """It is served when this returns."""
        self._observe()
        try:
            self._agent = self.guest.command(f"agent start {AGENT_SECONDS}", seconds=COMMAND_SECONDS)["pid"]
        except RigError as error:
            raise RigError(f"{error}: {self._shown()}; in the guest: {self.guest.command('agent log')['log']}") from None

    def stop_agent(self):
        if self._agent:
            self.guest.command("agent stop", seconds=COMMAND_SECONDS)
            self._agent = 0

    def _shown(self):
        """The agent, as the daemon sees it."""
        return self.daemon.ctl_json("show", DOMAIN)["domain"].get("agent", {})

    def _wait_served(self):
        proc.wait_for(lambda: self._shown().get("state") == "served", AGENT_SECONDS, "pvschedd to use the guest's hints", step=0.2)

    @contextlib.contextmanager
    def _applied(self, variant):
        with contextlib.ExitStack() as undo:
            if variant == URGENT_ONLY_AGENT:
                undo.callback(self.daemon.ctl, "policy", "assign", DOMAIN, "guest")
                self.daemon.ctl("policy", "assign", DOMAIN, "urgent-only")
            tids = undo.enter_context(super()._applied(LATENCY if variant in WITH else variant))
            if variant in WITH:
                self._wait_served()
            yield tids

    def _run(self, tids, spinners, interval_us, seconds):
        slow = self._slow
        self.guest.command(f"background busy {WORK_US * slow} {WORK_PERIOD_US * slow} 3600")
        try:
            return super()._run(tids, spinners, interval_us, seconds)
        finally:
            self.guest.command("stop")

    def counts(self):
        """What so many switches between a real-time task and an ordinary one take from the host, and from the agent, while
        nothing else runs and nothing is boosted."""
        directories = glob.glob(f"/sys/kernel/debug/kvm/{self.guest.pid}-*")
        if not directories:
            raise RigError("KVM's counters in debugfs are not there: mount it on /sys/kernel/debug")
        at = {}
        self._observe()
        if self._agent:
            self._wait_served()
        answer = self.guest.command(f"switches {SWITCHES} {self._agent}", seconds=COMMAND_SECONDS,
                                    on_mark=lambda text: at.setdefault(text, int(proc.read(f"{directories[0]}/exits"))))
        return {"switches": SWITCHES, "exits": at["end"] - at["start"], "us": answer["us"], "agent_ran": answer["agent_ran"]}


def one_round(machine, options, number):
    """{cell: figures}, and the counts with the agent and without. The agent comes and goes once; which half is first, and
    which variant within it, turns with each round."""
    cells, counts = {}, {}
    for with_agent in (False, True) if number % 2 else (True, False):
        names = WITH if with_agent else WITHOUT
        turn = number // 2 % len(names)
        if with_agent:
            machine.start_agent()
        for variant in names[turn:] + names[:turn]:
            cells[variant] = machine.measure(grid_host.spinners_of("busy-2"), INTERVAL_US * options.slow, variant,
                                             options.seconds)
        counts["agent" if with_agent else "none"] = machine.counts()
        machine.stop_agent()
    return cells, counts
