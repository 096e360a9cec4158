# SPDX-License-Identifier: GPL-2.0-or-later
"""What one test builds: domains, the daemon, and the checker's proof that nothing is left of it."""

import glob
import json
import os
import signal
import subprocess
import tempfile

import pytest

import attributes
from bare import Bare
from firmware import Firmware
from pvschedd import Pvschedd
from rig import proc, rtbudget
from rig.guest import Guest, guest_image


def rt_budgets():
    """{file: value} of every group of virtual machines, and of those above; {} without the knob."""
    if not rtbudget.needed():
        return {}
    mount = proc.cpu_cgroup(os.getpid())[0]
    files = glob.glob(f"{mount}/machine*/**/cpu.rt_runtime_us", recursive=True)
    return {path: int(proc.read(path)) for path in files}


def _is_dead(difference):
    """A process that was killed and is not reaped yet has lost its cgroup."""
    try:
        stat = proc.read(f"/proc/{difference['tid']}/stat") if "tid" in difference else ") R"
        return stat.rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Scene:
    """`close()` at the end of the test fails it when something is left."""

    def __init__(self, build_dir, checker, deadman, libvirtd, figures, shared_machine):
        self._shared_machine = shared_machine
        self.build_dir, self.deadman, self.libvirtd, self.figures = build_dir, deadman, libvirtd, figures
        self._checker = checker
        self._domains, self._daemons = [], []
        self._file = None
        self._budgets = None
        self._key = None
        self.except_tids = set()  # threads that the test itself changes for good

    # ---- what a test builds ----

    def domain(self, name="pvsched-it", **kwargs):
        """A running firmware domain; see firmware.Firmware."""
        domain = Firmware(name, deadman=self.deadman, **kwargs)
        self._domains.append(domain)
        return domain.create()

    def bare(self, name="pvsched-bare", wait=True, make=Bare, **kwargs):
        """A running QEMU that libvirt does not know; see bare.Bare."""
        qemu = make(name, deadman=self.deadman, **kwargs)
        self._domains.append(qemu)
        return qemu.create(wait)

    def linux(self, name="pvsched-it-linux", **kwargs):
        """A running Linux guest, waited for; skips where its image cannot be made."""
        try:
            image = guest_image()
        except proc.RigError as error:
            pytest.skip(f"no image of the Linux guest: {error}")
        guest = Guest(name, type="qemu", image=image, deadman=self.deadman, **kwargs)
        self._domains.append(guest)
        guest.__enter__()
        return guest

    def daemon(self, profile="latency", config=None, start=True, **kwargs):
        """A daemon, ready. The machine as it is now is what must be there again at the end."""
        self.watch()
        daemon = Pvschedd(self.build_dir, self.deadman, profile, config, **kwargs)
        self._daemons.append(daemon)
        return daemon.start() if start else daemon

    def forget(self, daemon):
        """The test is done with a daemon that has ended."""
        daemon.close()
        self._daemons.remove(daemon)

    def forget_domain(self, domain):
        """The test is done with a domain."""
        domain.destroy()
        self._domains.remove(domain)

    def boosted(self, **kwargs):
        """A domain and a daemon that boosts it."""
        domain = self.domain(**kwargs)
        daemon = self.daemon()
        daemon.wait_boosted(domain)
        return domain, daemon

    def own_libvirtd(self):
        if not self.libvirtd.started:
            pytest.skip("libvirtd ran before the tests: they do not stop one that is not theirs")
        return self.libvirtd

    # ---- the checker ----

    def watch(self):
        """Takes the snapshot, once."""
        if self._file is None:
            handle, self._file = tempfile.mkstemp(prefix="pvsched-snapshot-")
            os.close(handle)
            subprocess.run([self._checker, "save", self._file], check=True, timeout=60)
            self._budgets = rt_budgets()

    def watch_again(self):
        """The test itself changed something for good: the present state must be there at the end."""
        os.unlink(self._file)
        self._file = None
        self.watch()

    def differences(self):
        """What the checker finds different now; a list of texts."""
        argv = [self._checker, "compare", self._file, "--json"]
        for tid in self.except_tids:
            argv += ["--except", str(tid)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode not in (0, 1):
            raise proc.RigError(f"{' '.join(argv)} failed with {done.returncode}: {done.stderr}")
        found = json.loads(done.stdout)["differences"]
        if self._shared_machine:
            ours = {domain.pid for domain in self._domains}
            found = [difference for difference in found if difference.get("pid", -1) in ours]
        return [json.dumps(difference) for difference in found if not _is_dead(difference)]

    def left(self):
        """All that differs from before, when no daemon runs any more."""
        return self.differences() + self._changed_budgets() + self._boosted_threads()

    def _changed_budgets(self):
        """Also of groups that did not exist yet: libvirt makes them with 0."""
        return [f"{path} is {value}, was {self._budgets.get(path, 0)}" for path, value in rt_budgets().items()
                if value != self._budgets.get(path, 0) and self._is_ours(path)]

    def _is_ours(self, path):
        return not self._shared_machine or any(f"-{domain.name}." in path for domain in self._domains)

    def _boosted_threads(self):
        found = []
        for domain in self._domains:
            if domain.pid is None or not os.path.isdir(f"/proc/{domain.pid}/task"):
                continue
            for tid, comm in proc.threads(domain.pid).items():
                if tid not in self.except_tids and attributes.boosted(tid):
                    found.append(f"thread {tid} ({comm}) of {domain.name} has a real-time class")
        return found

    def assert_pristine(self):
        """No daemon runs any more: nothing of it is left."""
        left = self.left()
        assert not left, f"not as it was before: {left}; last words of the daemon: {self.logs()[-3000:]}"

    def assert_given_back(self):
        """Daemon or not: every thread of every domain is as it was."""
        tids = {tid for domain in self._domains if os.path.isdir(f"/proc/{domain.pid}/task")
                for tid in proc.threads(domain.pid)}
        left = [text for text in self.differences() if json.loads(text).get("tid") in tids] + self._boosted_threads()
        assert not left, f"not as it was before: {left}; last words of the daemon: {self.logs()[-3000:]}"

    def logs(self):
        return "\n".join(daemon.log() for daemon in self._daemons if os.path.exists(daemon.log_path))

    def close(self):
        logs = self.logs()
        for daemon in self._daemons:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGCONT)
        try:
            for daemon in self._daemons:
                daemon.stop()
            if self._file is not None:
                left = self.left()
                assert not left, f"not as it was before: {left}; log: {logs[-3000:]}"
        finally:
            for daemon in self._daemons:
                daemon.close()
            for domain in self._domains:
                domain.destroy()
            if self._file is not None:
                os.unlink(self._file)
