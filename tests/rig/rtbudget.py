# SPDX-License-Identifier: GPL-2.0-or-later
"""Real-time budgets of cgroups on kernels with CONFIG_RT_GROUP_SCHED (cgroup v1 only).

There FIFO is EPERM, even for root, in a group whose cpu.rt_runtime_us is 0, as those that libvirt makes
are. A group's budget must fit into its parent's together with its siblings': budgets are granted top
down and given back bottom up. sched_rt_runtime_us, the whole machine's, is never touched.
"""

import os

from . import proc
from .deadman import NoDeadman
from .proc import RigError

_FILE = "cpu.rt_runtime_us"


def needed():
    """True if this kernel has budgets per group."""
    for line in proc.read("/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup ") and "cpu" in rest.split(" ")[2].split(","):
            return os.path.exists(f"{fields.split(' ')[4]}/{_FILE}")
    return False


class RtBudget:
    """Context manager: grants what is asked for, restores it at the end, last first."""

    def __init__(self, deadman=None):
        self._deadman = deadman or NoDeadman()
        self._granted = []  # (file, value before, value written, key of the dead-man's entry)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.restore()

    def grant(self, tid, runtime_us, domain_us=900_000, machine_us=900_000):
        """Lets the group of thread TID run real-time for runtime_us of each second and CPU.

        The domain's group gets at least domain_us, those above it but the root at least machine_us; several
        domains must share machine_us. Budgets already larger stay. Does nothing where the kernel has no budgets.
        """
        if not needed():
            return
        mount, path, _ = proc.cpu_cgroup(tid)
        names = [name for name in path.split("/") if name]
        levels = [machine_us] * max(0, len(names) - 2) + [domain_us, runtime_us]
        for depth, level_us in zip(range(1, len(names) + 1), levels[-len(names):]):
            self._raise(f"{mount}/{'/'.join(names[:depth])}/{_FILE}", level_us)

    def _raise(self, file, runtime_us):
        before = int(proc.read(file))
        if before < 0 or before >= runtime_us:
            return
        try:
            _write(file, runtime_us)
        except OSError as error:
            raise RigError(f"cannot grant {runtime_us} us of real-time budget in {file}: {error.strerror}; "
                           f"its siblings' budgets and its own must fit into its parent's") from error
        restore = '! [ -e "$0" ] || [ "$(cat "$0")" != "$1" ] || echo "$2" > "$0"'
        key = self._deadman.add(argv=["sh", "-c", restore, file, str(runtime_us), str(before)])
        self._granted.append((file, before, runtime_us, key))

    def restore(self):
        """Puts the old values back, unless somebody else wrote another one since or the group is gone."""
        for file, before, written, key in reversed(self._granted):
            self._deadman.remove(key)
            try:
                if int(proc.read(file)) == written:
                    _write(file, before)
            except FileNotFoundError:
                continue
            except OSError as error:
                print(f"cannot restore {file} to {before}: {error.strerror}")
        self._granted = []


def _write(file, value):
    with open(file, "w", encoding="ascii") as stream:
        stream.write(str(value))
