# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of `host`: vCPUs that contend for the CPUs with each other, with what works for them and with the host's load."""

import contextlib
import os
import time

from rig import measure, proc, rtbudget, variants
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest
from rig.libvirtd import Libvirtd, running_domains
from rig.load import Load
from rig.proc import RigError

VCPUS = 4
# hackbench's groups of 40 tasks, and messages of each: some seconds under emulation
GROUPS, LOOPS = 1, 40
HACKBENCH = f"hackbench {GROUPS} {LOOPS}"
VARIANTS = ("untouched", *variants.PROFILES)
_SECONDS_MAX = 300
_BOOT_SECONDS = 90  # in an emulated host it takes up to a minute


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

    def _used(self, servers):
        """(wall time, CPU time of all, and of those whom this is about), in ns."""
        mine = [self._load.used_ns(), *map(proc.run_ns, (*self.guest.vcpu_tids().values(), *self.guest.helper_tids(), *servers))]
        return time.monotonic_ns(), measure.busy_ns(), sum(mine)

    def _account(self):
        """(ns that the vCPUs ran elevated, boosts that ended for a helper; the longest wait of one behind them, in us)."""
        domain = self._daemon.ctl_json("show", self.guest.name)["domain"]
        return (sum(vcpu["elevated_ns"] for vcpu in domain["vcpus"]),
                sum(vcpu["denied_total"].get("helper", 0) for vcpu in domain["vcpus"]),
                max((helper.get("behind_max_us", 0) for helper in domain["helpers"]), default=0))

    def measure(self, variant, command, servers=(), begun=lambda: None):
        """(the guest's answer to COMMAND, a dict of what it cost and got meanwhile), beside the load, which
        begins when the guest says that it starts.

        variant   of VARIANTS; untouched vCPUs are not even traced
        command   one that marks its start and its end
        servers   pids of others that belong to what is measured
        begun     waits until what was started really has begun
        """
        moments = {}

        def mark(text):
            if text == "start":
                begun()
                self._load.resume()
            moments[text] = self._used(servers)
            if text == "end":
                self._load.pause()  # an answer may take long to come through the port

        profile = "off" if variant == "untouched" else variant
        with variants.profile(profile, self.guest, self._daemon):
            elevated_ns, sheds, _ = self._account()
            try:
                answer = self.guest.command(command, seconds=_SECONDS_MAX, on_mark=mark)
            finally:
                self._load.pause()
            after = self._account()
        wall_ns, busy_ns, mine_ns = (end - start for start, end in zip(moments["start"], moments["end"]))
        return answer, {
            "elevated_permille": 1000 * (after[0] - elevated_ns) / wall_ns, "helper_sheds_per_s": 1e9 * (after[1] - sheds) / wall_ns,
            "helper_behind_max_us": after[2], "foreign_permille": max(0.0, 1000 * (busy_ns - mine_ns) / wall_ns),
            "guest_type": self.guest.type, "cpus": os.cpu_count()}
