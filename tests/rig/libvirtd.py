# SPDX-License-Identifier: GPL-2.0-or-later
"""A libvirtd to talk to: the one that runs, or one that the rig starts and stops again.

A libvirtd that ran before is never stopped or disturbed: stop(), restart(), freeze() and thaw() refuse it.
"""

import os
import signal
import subprocess
import time

from . import kvm, proc
from .deadman import NoDeadman
from .proc import RigError

URI = "qemu:///system"
# In place of /dev/kvm, a file that neither root's QEMU can use nor another user can open. libvirt cannot carry such a
# mount into the namespace that it makes for each QEMU, so that is off.
_NO_KVM = ["unshare", "--mount", "sh", "-ec", """
    cd /run/pvschedd-rig
    touch no-kvm
    chmod 600 no-kvm
    { grep -v '^namespaces' /etc/libvirt/qemu.conf; echo 'namespaces = [ ]'; } >qemu.conf
    mount --bind no-kvm /dev/kvm
    mount --bind qemu.conf /etc/libvirt/qemu.conf
    exec "$@" """, "sh"]
_REAPER = ["/usr/bin/python3", "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "reaper.py")]
_LOG_DIR = "/var/log/libvirt"


def virsh(*argv, check=True, timeout=60):
    """Output of a virsh command on the system's libvirtd."""
    return proc.run("virsh", "--connect", URI, *argv, check=check, timeout=timeout)


def running_domains():
    """Names of the domains that run or are paused."""
    return [name for name in virsh("list", "--name").splitlines() if name]


def _answers():
    try:
        return subprocess.run(["virsh", "--connect", URI, "version"], capture_output=True, timeout=10,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Libvirtd:
    """Context manager; `started` tells whether this object started it."""

    def __init__(self, deadman=None):
        self.started = False
        self._deadman = deadman or NoDeadman()
        self._systemd = os.path.isdir("/run/systemd/system")
        self._children = {}  # name -> (Popen, key of the dead-man's entry)

    def __enter__(self):
        self.ensure()
        return self

    def __exit__(self, *_):
        self.close()

    def ensure(self):
        """Starts it if none runs, and waits until it answers."""
        if not proc.pids_by_name("libvirtd"):
            self._start()
        try:
            proc.wait_for(self._answers, 60, "libvirtd to answer `virsh version`", step=0.1)
        except RigError:
            self.close()
            raise

    def _answers(self):
        for name, (child, _) in self._children.items():
            if child.poll() is not None:
                raise RigError(f"{name} ended with {child.returncode} at its start: see {_LOG_DIR}/{name}-rig.log")
        return _answers()

    def pid(self):
        pids = proc.pids_by_name("libvirtd")
        return pids[0] if pids else None

    def _start(self):
        self.started = True
        if self._systemd:
            proc.run("systemctl", "start", "libvirtd.service")
            return
        # Without systemd these are not there.
        os.makedirs(_LOG_DIR, exist_ok=True)
        os.makedirs("/run/libvirt", exist_ok=True)
        if not proc.pids_by_name("virtlogd"):
            self._spawn("virtlogd")
        self._spawn("libvirtd")

    def _spawn(self, name):
        # libvirtd probes QEMU as root. If the user that QEMU then runs as has no /dev/kvm, libvirtd takes its knowledge
        # for outdated at each look: a dozen probes, 8 s, for each new domain.
        hide_kvm = (name == "libvirtd" and os.path.exists("/dev/kvm") and not kvm.kvm_accessible()
                    and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0)
        os.makedirs("/run/pvschedd-rig", mode=0o755, exist_ok=True)
        with open(f"{_LOG_DIR}/{name}-rig.log", "ab") as log:
            child = subprocess.Popen([*_REAPER, *(_NO_KVM if hide_kvm else []), f"/usr/sbin/{name}"],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._children[name] = (child, self._deadman.add(pid=child.pid))

    def _end(self, name, sig=signal.SIGTERM):
        child, key = self._children.pop(name)
        child.send_signal(signal.SIGCONT)
        child.send_signal(sig)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._deadman.remove(key)

    def _ours(self, what):
        if not self.started:
            raise RigError(f"will not {what} a libvirtd that ran before: stop it first, the rig starts its own")

    def stop(self, sig=signal.SIGTERM):
        """Stops (or, with SIGKILL, kills) the libvirtd that we started; virtlogd goes on."""
        self._ours("stop")
        if self._systemd:
            proc.run("systemctl", "kill", "--signal", sig.name, "libvirtd.service")
            # Its sockets would start it again at the next connection.
            proc.run("systemctl", "stop", "libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket",
                     "libvirtd-admin.socket", check=False)
        elif "libvirtd" in self._children:
            self._end("libvirtd", sig)

    def start(self):
        """After stop()."""
        self._ours("start")
        if self._systemd:
            proc.run("systemctl", "start", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket",
                     check=False)
            proc.run("systemctl", "start", "libvirtd.service")
        else:
            self._spawn("libvirtd")
        proc.wait_for(self._answers, 20, "libvirtd to answer after a start", step=0.1)

    def restart(self, pause_s=0.0, sig=signal.SIGTERM):
        self.stop(sig)
        time.sleep(pause_s)
        self.start()

    def freeze(self):
        """SIGSTOP: it takes connections and answers none."""
        self._ours("freeze")
        os.kill(self.pid(), signal.SIGSTOP)

    def thaw(self):
        self._ours("thaw")
        os.kill(self.pid(), signal.SIGCONT)

    def close(self):
        """Stops what we started, unless domains of others run on it by now."""
        if not self.started:
            return
        if self.pid():
            self.thaw()
        try:
            others = running_domains()
        except (RigError, subprocess.TimeoutExpired):
            others = []
        if others:
            print(f"libvirtd stays: domains run on it: {', '.join(others)}")
            for _, key in self._children.values():
                self._deadman.remove(key)
            return
        if self._systemd:
            proc.run("systemctl", "stop", "libvirtd.service", check=False)
        for name in ("libvirtd", "virtlogd"):
            if name in self._children:
                self._end(name)
        self.started = False
