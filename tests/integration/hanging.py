# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that plays QEMU and makes those hang that look at it: hanging.c."""

import os
import shutil
import signal

from bare import Bare
from rig import proc


class Hanging(Bare):
    def __init__(self, name, binary, way, **kwargs):
        super().__init__(name, **kwargs)
        self._way = way
        self._argv = ["env", f"HANGING_WAY={way}", binary, "-name", f"guest={name},debug-threads=on", "-uuid", self.uuid,
                      "-accel", "tcg", "-smp", "1", "-object", "memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on"]

    def _greets(self):
        return self.alive() and self.tids()

    def hang(self):
        """It begins to."""
        os.kill(self.pid, signal.SIGUSR1)
        proc.wait_for(lambda: "begun" in self.log(), 30, f"process {self.pid} to begin")

    def caught(self):
        """A process hangs in a close of its file."""
        return "caught" in self.log()


class Hangings:
    """begin(way): such a process. daemon(): one that boosts these and finds no others."""

    def __init__(self, scene, directory):
        self._scene, self._directory, self._n = scene, directory, 0
        self._binary = f"{directory}/qemu-hanging"
        shutil.copy(f"{scene.build_dir}/tests/integration/hanging", self._binary)

    def begin(self, way):
        self._n += 1
        return self._scene.bare(name=f"pvsched-hanging-{self._n}", make=Hanging, binary=self._binary, way=way)

    def daemon(self, **config):
        return self._scene.daemon(config={
            "default_profile": "observe", "domains": {"glob": {"pvsched-*": {"profile": "latency"}}},
            "profiles": {"latency": {"share_permille": 50}},
            "host": {"discovery": ["procfs"], "qemu_executables": [f"{self._directory}/qemu-*"]}, **config})
