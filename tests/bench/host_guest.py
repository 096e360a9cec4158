# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of `host`: four vCPUs that contend for fewer CPUs, with each other and with the host's load."""

import contextlib
import os

from rig import proc, rtbudget, variants
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest
from rig.libvirtd import Libvirtd, running_domains
from rig.load import Load
from rig.proc import RigError

VCPUS = 4
# hackbench's groups of 40 tasks, and messages of each: some seconds under emulation
GROUPS, LOOPS = 1, 40
VARIANTS = ("untouched", *variants.PROFILES)
_DOMAIN = "pvsched-hackbench"
_SECONDS_MAX = 300


class Contended:
    """Context manager: guest, daemon and load, made once."""

    def __init__(self, options):
        self._options = options
        self._undo = contextlib.ExitStack()
        self.guest = self._daemon = self._load = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            deadman = undo.enter_context(Deadman())
            undo.enter_context(Libvirtd(deadman))
            others = running_domains()
            if others and not self._options.force:
                raise RigError(f"other domains run, and this would disturb them: {', '.join(others)}; use --force")
            # what the budget of a group that is shared by four vCPUs has room for is said by the caps
            config = {"default_profile": "observe", "host": {"grant_rt_budget": rtbudget.needed()}}
            self._daemon = undo.enter_context(Daemon(self._options.build, config, deadman))
            self.guest = undo.enter_context(Guest(_DOMAIN, vcpus=VCPUS, deadman=deadman))
            self.guest.command("cpus")
            self._load = undo.enter_context(Load(next(iter(self.guest.vcpu_tids().values())), deadman=deadman))
            self._load.pause()
            proc.wait_for(lambda: any(one["name"] == _DOMAIN for one in self._daemon.ctl_json("list")["domains"]), 20,
                          f"pvschedd to find {_DOMAIN}")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def measure(self, variant):
        """Seconds of hackbench, and what of it the vCPUs ran elevated."""
        with contextlib.ExitStack() as undo:
            if variant in variants.PROFILES:
                undo.enter_context(variants.profile(variant, self.guest, self._daemon))
            tids = set(self.guest.vcpu_tids().values())
            before_ns = self._daemon.elevated_ns(tids)
            self._load.resume()
            try:
                answer = self.guest.command(f"hackbench {GROUPS} {LOOPS}", seconds=_SECONDS_MAX)
            finally:
                self._load.pause()
            elevated_ns = self._daemon.elevated_ns(tids) - before_ns
        return {"seconds": answer["us"] / 1e6, "elevated_permille": elevated_ns / answer["us"],
                "guest_type": self.guest.type, "cpus": os.cpu_count()}
