# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's promtool and prometheus-node-exporter, which scripts/install-packages test puts aside, and texts that they read."""

import contextlib
import os
import re
import shutil
import subprocess
import urllib.request

from rig import proc
from rig.proc import RigError

PLACE = "/usr/local/lib/pvschedd-tests"


def tool(name):
    found = shutil.which(name) or shutil.which(f"{PLACE}/{name}")
    if not found:
        raise RigError(f"there is no {name}: scripts/install-packages test")
    return found


def promtool(*words, text=None):
    """Its output; RigError with what it complains about."""
    done = subprocess.run([tool("promtool"), *words], input=text, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RigError(f"promtool {' '.join(words)}: {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """{(name, ((label, value), ...)): number} of a text; RigError for a line that is none."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        if not match:
            raise RigError(f"no sample: {line!r}")
        labels = tuple(sorted((name, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value))
                              for name, value in _LABEL.findall(match[2] or "")))
        if (match[1], labels) in found:
            raise RigError(f"twice: {line!r}")
        found[match[1], labels] = float(match[3])
    return found


def get(found, name, **labels):
    """The one sample of that name with these labels, whatever others it has."""
    values = [value for (seen, has), value in found.items() if seen == name and labels.items() <= dict(has).items()]
    assert len(values) == 1, (name, labels, values)
    return values[0]


class NodeExporter:
    """Serves what is in a directory, and nothing else, on a port of its own."""

    def __init__(self, directory, deadman):
        self._log = f"{directory}/exporter.log"
        self._deadman = deadman
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [tool("prometheus-node-exporter"), "--collector.disable-defaults", "--collector.textfile",
                 f"--collector.textfile.directory={directory}", "--web.listen-address=127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=proc.die_with_parent)
        self._key = deadman.add(pid=self._process.pid)
        self._port = None

    def _listens(self):
        """The kernel knows which port it got."""
        if self._process.poll() is not None:
            raise RigError(f"node_exporter ended with {self._process.returncode}: {proc.read(self._log)[-2000:]}")
        inodes = set()
        for fd in os.listdir(f"/proc/{self._process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{self._process.pid}/fd/{fd}")))
        for line in proc.read(f"/proc/{self._process.pid}/net/tcp").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].rpartition(":")[2], 16)
        return None

    def text(self):
        """What it serves now."""
        self._port = self._port or proc.wait_for(self._listens, 30, "node_exporter to listen")
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
            return answer.read().decode("utf-8")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._deadman.remove(self._key)
