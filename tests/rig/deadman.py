# SPDX-License-Identifier: GPL-2.0-or-later
"""Undoes what a rig did when the rig itself dies, even by SIGKILL.

A small process, in a session of its own, reads what would have to be undone from a pipe. While the rig
lives it does nothing. When the pipe closes, it undoes what is left, last first, and ends. On the
normal way every part of the rig undoes its own things and takes them back from here, so that
nothing is left to do.
"""

import json
import os
import signal
import subprocess
import sys
import time

from . import proc


class Deadman:
    """Use as a context manager around the whole rig."""

    def __init__(self):
        self._process = None
        self._next = 0

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.deadman"], stdin=subprocess.PIPE, text=True,
            start_new_session=True, cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(60)

    def add(self, argv=None, pid=None):
        """Something to undo: a command, or a process to be ended. Returns the key for `remove`."""
        self._next += 1
        entry = {"key": self._next, "argv": argv}
        if pid is not None:
            entry |= {"pid": pid, "ticks": proc.start_ticks(pid)}
        self._send(entry)
        return self._next

    def remove(self, key):
        """It is undone already."""
        self._send({"remove": key})

    def _send(self, entry):
        self._process.stdin.write(json.dumps(entry) + "\n")
        self._process.stdin.flush()


class NoDeadman:
    """Stands in where nothing must outlive the caller's own clean-up."""

    def add(self, argv=None, pid=None):
        return 0

    def remove(self, key):
        pass


def _end(pid, ticks):
    for sig in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
        if not proc.same_process(pid, ticks):
            return
        os.kill(pid, sig)
        for _ in range(250 if sig == signal.SIGTERM else 1):
            if not proc.same_process(pid, ticks):
                return
            time.sleep(0.02)


def _undo(entry):
    """Returns False if it could not be done yet, as long as something else is not undone."""
    if "pid" in entry:
        _end(entry["pid"], entry["ticks"])
        return True
    try:
        return subprocess.run(entry["argv"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        print(f"deadman: cannot undo {entry}: {error}", file=sys.stderr)
        return True


def main():
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    entries = {}
    for line in sys.stdin:
        entry = json.loads(line)
        if "remove" in entry:
            entries.pop(entry["remove"], None)
        else:
            entries[entry["key"]] = entry
    left = [entries[key] for key in sorted(entries, reverse=True)]
    for _ in range(5):
        left = [entry for entry in left if not _undo(entry)]
        if not left:
            break
        time.sleep(0.2)


if __name__ == "__main__":
    main()
