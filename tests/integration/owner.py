# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that plays QEMU as another user, and does what a hostile one may: owner.c."""

import os
import shutil

import attributes
from bare import Bare

UID = 65534
PRIORITY = 2
ORIGINALS = {"other": {"policy": os.SCHED_OTHER, "nice": 7}, "idle": {"policy": os.SCHED_IDLE}}


class Owner(Bare):
    """A process that plays QEMU, with the way of tests/integration/owner.c."""

    def __init__(self, name, binary, way, sandbox=False, spin_us=0, names=0, smp=1, **kwargs):
        super().__init__(name, **kwargs)
        self._names = names
        given = {"OWNER_WAY": way, "OWNER_SPIN_US": str(spin_us), "OWNER_NAMES": str(names), "OWNER_GROUP": f"{self._group}/cgroup.procs"}
        if sandbox:
            given["OWNER_SANDBOX"] = "1"
        self._argv = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env",
                      *(f"{key}={value}" for key, value in given.items()), binary,
                      "-name", f"guest={name},debug-threads=on", "-uuid", self.uuid, "-accel", "tcg", "-smp", str(smp)]

    def _greets(self):
        return self.alive() and len(self.tids()) >= 1 + self._names


class Owners:
    """begin(way, ...): a process, and by default the daemon that boosts it: (process, attributes before, daemon)."""

    def __init__(self, scene, directory):
        self._scene, self._directory = scene, directory
        self._binary = f"{directory}/qemu-owner"
        shutil.copy(f"{scene.build_dir}/tests/integration/owner", self._binary)
        for path in (directory, *directory.parents):
            if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/pytest"):
                path.chmod(0o755)

    def begin(self, way, original="other", daemon=True, name="pvsched-owner", config=None, **kwargs):
        qemu = self._scene.bare(name=name, make=Owner, binary=self._binary, way=way, **kwargs)
        if not daemon:
            return qemu
        attributes.write(qemu.tid, **ORIGINALS[original])
        before = attributes.read(qemu.tid)
        return qemu, before, self.daemon(**(config or {}))

    def daemon(self, executables=(), profiles=None, **host):
        """A daemon that boosts all processes of this user that play QEMU, and what HOST says."""
        return self._scene.daemon(config={
            "default_profile": "observe", "profiles": profiles or {}, "domains": {"glob": {"pvsched-*": {"profile": "latency"}}},
            "host": {"discovery": ["procfs"], "qemu_executables": [f"{self._directory}/qemu-*", *executables],
                     "qemu_users": [str(UID)], "rt_priority": PRIORITY, **host}})
