# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a benchmark happens: a vCPU's group as libvirt makes it, real-time budget, load, clean-up."""

import contextlib
import json
import os
import subprocess
import tempfile

from rig import proc, rtbudget
from rig.deadman import Deadman
from rig.load import Load
from rig.proc import RigError
from rig.rtbudget import RtBudget

BOOST_BUDGETS_US = (450_000, 300_000)  # per second and CPU; what pvschedd grants for its largest profile, with room
_PERIOD_US = 100_000  # of a CFS quota
_BUDGET_WAIT_S = 5  # others on the host may hold some of it for a while


class NoBudget(RigError):
    """The others hold too much of the real-time budget just now."""


class Scene:
    """Context manager: the group machine/bench.libvirt-qemu/vcpu0, with only a sleeper in it."""

    def __init__(self, build):
        self._build = build
        self._undo = contextlib.ExitStack()
        self.directory = self.group = self.deadman = self._anchor = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise RigError("the benchmarks change scheduling classes and load BPF programs: run them as root")
        with contextlib.ExitStack() as undo:
            self.deadman = undo.enter_context(Deadman())
            rtbudget.take_back_from_the_dead()
            # on tmpfs: a ledger's home
            self.directory = undo.enter_context(tempfile.TemporaryDirectory(prefix="pvsched-bench-", dir="/run"))
            undo.callback(self.deadman.remove, self.deadman.add(argv=["rm", "-rf", self.directory]))
            self._make_groups(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _make_groups(self, undo):
        mount, _, version = proc.cpu_cgroup("self")
        names = ("machine", f"bench{os.getpid()}.libvirt-qemu", "vcpu0")
        path = mount
        for name in names:
            if version == 2:
                _write(f"{path}/cgroup.subtree_control", "+cpu")
            path = f"{path}/{name}"
            try:
                os.mkdir(path)
            except FileExistsError:
                continue
            key = self.deadman.add(argv=["rmdir", path])
            undo.callback(self._remove_group, path, key)
        self.group = path
        self._anchor = subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL,
                                        preexec_fn=proc.die_with_parent)
        undo.callback(self._end_anchor)
        _write(self.procs_file(), str(self._anchor.pid))

    def _end_anchor(self):
        self._anchor.kill()
        self._anchor.wait()

    def _remove_group(self, path, key):
        def removed():
            try:
                os.rmdir(path)
                return True
            except OSError:  # a killed task leaves its group a moment later
                return False
        with contextlib.suppress(RigError):  # /machine may be in use by others by now
            proc.wait_for(removed, 1, path)
        self.deadman.remove(key)

    def procs_file(self):
        return f"{self.group}/cgroup.procs"

    def load(self, layout, per_cpu=3):
        """Spinners, paused."""
        return Load(self._anchor.pid, per_cpu=per_cpu, deadman=self.deadman, layout=layout)

    @contextlib.contextmanager
    def budget(self, runtimes_us):
        """The first of the budgets that fits, while this lasts. None where the kernel knows no budgets."""
        if not runtimes_us or not rtbudget.needed():
            yield None
            return
        with RtBudget(self.deadman) as granted:
            try:
                budget_us = proc.wait_for(lambda: self._grant(granted, runtimes_us), _BUDGET_WAIT_S,
                                          f"a real-time budget of {runtimes_us[-1]} us; others hold it", step=0.5)
            except RigError as error:
                raise NoBudget(str(error)) from None
            yield budget_us

    def _grant(self, granted, runtimes_us):
        for runtime_us in runtimes_us:
            try:
                granted.grant(self._anchor.pid, runtime_us)
                return runtime_us
            except RigError:
                granted.restore()  # of the groups above, which had room
        return None

    @contextlib.contextmanager
    def quota(self, permille):
        """A CFS quota on the group, of one CPU; 0: none."""
        if not permille:
            yield
            return
        if os.path.exists(f"{self.group}/cpu.max"):
            file, value, none = f"{self.group}/cpu.max", f"{_PERIOD_US * permille // 1000} {_PERIOD_US}", "max"
        else:
            _write(f"{self.group}/cpu.cfs_period_us", str(_PERIOD_US))
            file, value, none = f"{self.group}/cpu.cfs_quota_us", str(_PERIOD_US * permille // 1000), "-1"
        _write(file, value)
        try:
            yield
        finally:
            _write(file, none)

    def path(self, name):
        return f"{self.directory}/{name}"

    def program(self, name, *args, timeout=120):
        """Runs a program of tests/bench; its JSON, or None if it prints none."""
        file = f"{self._build}/tests/bench/{name}"
        if not os.path.exists(file):
            raise RigError(f"{file} is not there: build with `ninja -C {self._build}`, or name the build with --build")
        text = proc.run(file, *map(str, args), timeout=timeout, preexec_fn=proc.die_with_parent)
        return json.loads(text) if text.strip() else None


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
