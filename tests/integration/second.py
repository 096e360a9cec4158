# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker of real time, which counts that of each second while something else happens."""

import os
import subprocess

from rig import proc


def program(build_dir):
    for path in (f"{build_dir}/tests/checker/rt-second", f"{build_dir}/rt-second"):
        if os.path.isfile(path):
            return path
    raise proc.RigError(f"there is no rt-second in {build_dir}: real time could not be counted")


class Second:
    """Context manager. `end()` gives what it has seen; `status` is 0 if boosts kept to the sheet."""

    def __init__(self, build_dir, deadman, *options):
        self._argv = [program(build_dir), *options]
        self._deadman = deadman
        self._process = self._key = None
        self.status, self.text = None, ""

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True)
        self._key = self._deadman.add(pid=self._process.pid)
        line = self._process.stdout.readline()
        if line != "watching\n":
            raise proc.RigError(f"rt-second does not watch: {line}")
        return self

    def end(self):
        if self.status is None:
            self._process.stdin.close()
            self.text = self._process.stdout.read()
            self.status = self._process.wait(30)
            self._process.stdout.close()
            self._deadman.remove(self._key)
        return self.text

    def __exit__(self, *_):
        self.end()
