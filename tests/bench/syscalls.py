# SPDX-License-Identifier: GPL-2.0-or-later
"""How many system calls a process makes, by the kernel's own tracepoint."""

import contextlib
import os
import subprocess
import tempfile

from rig.proc import RigError


class Syscalls:
    """Context manager: counts those of the process PID, of all its threads, while it lasts."""

    def __init__(self, pid):
        self._pid = pid
        self._undo = contextlib.ExitStack()
        self._place = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            tracefs = tempfile.mkdtemp(prefix="pvsched-bench-")
            undo.callback(os.rmdir, tracefs)
            if subprocess.run(["mount", "-t", "tracefs", "tracefs", tracefs], check=False).returncode != 0:
                raise RigError("tracefs cannot be mounted: this kernel has none, or this is not root")
            undo.callback(subprocess.run, ["umount", tracefs], check=True)
            self._place = f"{tracefs}/instances/pvsched-{os.getpid()}"
            os.mkdir(self._place)  # a buffer of its own
            undo.callback(os.rmdir, self._place)
            tids = " || ".join(f"common_pid == {tid}" for tid in os.listdir(f"/proc/{self._pid}/task"))
            self._write("filter", tids)
            self._write("enable", "1")
            undo.callback(self._write, "enable", "0")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _write(self, name, text):
        with open(f"{self._place}/events/raw_syscalls/sys_enter/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def count(self):
        """So far."""
        found = 0
        for cpu in os.listdir(f"{self._place}/per_cpu"):
            with open(f"{self._place}/per_cpu/{cpu}/stats", encoding="ascii") as file:
                stats = dict(line.split(": ", 1) for line in file)
            found += sum(int(stats[name]) for name in ("entries", "overrun", "dropped events"))
        return found
