# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated host as the tests see it: commands, the service, its journal, one small guest."""

import contextlib
import json
import re
import shlex
import subprocess
import time

from rig.host import commands
from rig.host.machine import Machine
from rig.proc import RigError

GUEST = "vm guest:1"
_Q = shlex.quote(GUEST)
_SAVED = "/var/tmp/vm-guest"
PACKAGES = "/opt/pvschedd-rig/packages"
# Tests may have to switch boosting on again. That is never silent: each time leaves a line here, and Host.enabled() counts.
_ENABLED = "/var/tmp/vm-enabled"
_ENABLE = (f"{{ pvschedctl --json status | grep -q '\"breaker\":\"closed\"' || echo 'an open breaker' >>{_ENABLED}; "
           "pvschedctl enable >/dev/null; }")
# Of src/util/log_ids.h.
MESSAGE_IDS = {
    "ready": "42bae50755f74f1e96265bc272434fff",
    "config-loaded": "e7090409f9af45d08ef961cda4ee2da8",
    "config-refused": "2d0758cb557c4fe7aa7dfa9f54d7b4aa",
    "summary": "5263729967f14a09a1cb0a6a074bcfc1",
    "guardian-restored": "18468c5a0d044eaca7618e15b463da20",
    "recovered-at-start": "e02b24325c6a478bbe573fb9646155a3",
}


class CommandFailed(AssertionError):
    """A command inside failed; the text has its output."""


class Host:
    """Boots when first used. A test that finds it dead is repeated on a new one (conftest.py).

    plain: without pvschedd; then ensure() is not for it
    """

    def __init__(self, debian, kernel, name, plain=False):
        self.debian, self.kernel, self.name, self._plain = debian, kernel, name, plain
        self.notes = []  # what went wrong and was done again
        self._enabled = {}
        self._machine = Machine(self.name)

    def machine(self):
        if not self._machine.running():
            self._machine.clean()
            commands.boot(self.name, self.kernel, plain=self._plain, host=self.debian)
        return self._machine

    def ensure(self):
        """Up, pvschedd installed, running, and without a past: no failures counted, breaker closed."""
        # The second host of a pair boots beside the first, on the same CPUs: it may take minutes to answer.
        if self.code(f"systemctl is-active --quiet pvschedd && systemctl reset-failed pvschedd && {_ENABLE}",
                     timeout=300) == 0:
            return
        self.run(f"[ \"$(dpkg-query -W -f '${{db:Status-Status}}' pvschedd)\" = installed ] || dpkg -i {PACKAGES}/pvschedd_*.deb",
                 timeout=180)
        self.restart()

    def running(self):
        """False: it has not been used yet, or has died."""
        return self._machine.running()

    def clean(self):
        self._machine.clean()

    def assert_without_pvschedd(self):
        """As before the package was installed."""
        left = self.run("ls -d /etc/pvschedd /var/lib/pvschedd /run/pvschedd /usr/share/pvschedd 2>/dev/null; "
                        "getent group pvsched; getent passwd pvsched; "
                        "find / -xdev \\( -path /opt/pvschedd-rig -o -path /proc -o -path /tmp \\) -prune -o "
                        "-name '*pvsched*' -print | "
                        "grep -v '^/usr/lib/pvschedd-rig\\|^/run/pvschedd-rig\\|^/var/lib/apt\\|/rig'; true")
        assert left == "", left
        assert self.code("systemctl cat pvschedd") != 0

    def release(self):
        """What `uname -r` must say."""
        return self.machine().state()["release"]

    def about(self):
        """One line that names all that a result depends on."""
        programs = {"qemu-system-x86": "QEMU", "libvirt-daemon-system": "libvirt", "systemd": "systemd"}
        said = self.run("dpkg-query -W -f '${Package} ${Version}\\n' " + " ".join(programs), check=False)
        versions = dict(re.findall(r"^(\S+) (?:\d+:)?(\d+(?:\.\d+)*)", said, re.MULTILINE))
        return ", ".join([self._machine.state()["text"],
                          *(f"{name} {versions[package]}" for package, name in programs.items() if package in versions)])

    # ---- commands ----

    def run(self, command, check=True, timeout=120, **kwargs):
        """Output of a shell command, stderr with it; CommandFailed if it fails."""
        done = self.machine().call(command, timeout=timeout, stdin=kwargs.pop("stdin", subprocess.DEVNULL),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
        if check and done.returncode != 0:
            raise CommandFailed(f"'{command}' failed with {done.returncode}:\n{done.stdout}\n{self.last_words()}")
        return done.stdout

    def code(self, command, timeout=120):
        """Exit status of a shell command."""
        return self.machine().call(command, timeout=timeout, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL).returncode

    def last_words(self):
        return self._machine.call("journalctl -u pvschedd --no-pager -n 30 -o short-monotonic", timeout=60,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout

    def wait_for(self, command, what, seconds=60):
        """Until a shell command inside succeeds: it is repeated there, which is cheaper than from here."""
        loop = f"for i in $(seq {seconds * 5}); do if {command}; then exit 0; fi; sleep 0.2; done; exit 9"
        if self.code(loop, timeout=seconds * 4 + 60) != 0:
            raise CommandFailed(f"gave up waiting for {what}\n{self.last_words()}")

    def write(self, path, text):
        done = self.machine().call(f"cat > {shlex.quote(path)}", input=text, text=True, timeout=60)
        assert done.returncode == 0, path

    # ---- the service ----

    def show(self, *properties, unit="pvschedd"):
        """{property: value} of the unit."""
        text = self.run(f"systemctl show {unit} " + " ".join(f"-p {name}" for name in properties))
        return dict(line.split("=", 1) for line in text.splitlines())

    def main_pid(self):
        return int(self.show("MainPID")["MainPID"])

    def wait_active(self, seconds=60):
        self.wait_for("systemctl is-active --quiet pvschedd", "pvschedd to be active", seconds)

    def restart(self):
        """A service without a past: no failures counted, breaker closed."""
        self.run("systemctl reset-failed pvschedd; systemctl restart pvschedd")
        self.run(_ENABLE)

    def enabled(self):
        """{why: how often} boosting was switched on again, and how often a guardian acted; of a host that is gone, when it
        was counted last."""
        with contextlib.suppress(RigError):
            if self._machine.running():
                self._enabled = self._count_enabled()
        return self._enabled

    def _count_enabled(self):
        counts = {}
        for line in self.run(f"cat {_ENABLED} 2>/dev/null; true").splitlines():
            counts[line] = counts.get(line, 0) + 1
        acts = self.run(f"journalctl -q -o cat --no-pager MESSAGE_ID={MESSAGE_IDS['guardian-restored']} | grep -c .; true")
        return {**counts, "acts of a guardian, those that tests cause with them": int(acts.split()[-1])}

    def ctl(self, arguments):
        """The answer of pvschedctl, as JSON."""
        return json.loads(self.run(f"pvschedctl --json {arguments}"))

    def entries(self, since=None):
        """All entries of the journal as dicts, those after a cursor as cursor() gives it."""
        after = f"--after-cursor={shlex.quote(since)}" if since else ""
        text = self.run(f"journalctl --sync; journalctl {after} -o json --no-pager")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def journal(self, since=None, **fields):
        """Entries of the unit with these values in these fields.

        Matched here: with a match, journalctl 252 leaves out the first entry after a cursor that does not match.
        """
        fields["_SYSTEMD_UNIT"] = "pvschedd.service"
        return [entry for entry in self.entries(since) if all(entry.get(key) == value for key, value in fields.items())]

    def cursor(self):
        text = self.run("journalctl --sync; journalctl -n 1 --show-cursor -o cat --no-pager | tail -n 1")
        return text.strip().removeprefix("-- cursor: ")

    def wait_journal(self, name, since, seconds=60):
        """The first entry with that MESSAGE_ID after the cursor."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.journal(since, MESSAGE_ID=MESSAGE_IDS[name])
            if found:
                return found[0]
            if time.monotonic() > deadline:
                raise CommandFailed(f"no message '{name}' within {seconds} s\n{self.last_words()}")
            time.sleep(0.3)

    # ---- the guest ----

    def guest(self):
        """{vCPU index: tid} of a running guest with two vCPUs that work a little all the time, and room for a third.

        It boots once: later ones are restored from its memory, which is much quicker.
        """
        if self.code(f"virsh domid {_Q}") != 0:
            if self.code(f"test -e {_SAVED}") != 0:
                self.boot_guest()
                self.run(f"virsh save {_Q} {_SAVED}")
            self.run(f"mkdir -p -m 755 $(cat {_SAVED}.dir) && virsh restore {_SAVED}")
        return self.tids()

    def boot_guest(self):
        try:
            said = self.run(f"rig-guest start {_Q} --vcpus 2 --max-vcpus 3", timeout=480)
        except BaseException:
            self.destroy_guest()  # half of one must not be taken for a guest by the next test
            raise
        self.notes += [line for line in said.splitlines() if line.startswith("rig-guest: ")]
        for cpu in (0, 1):
            # 500 us of every 20 ms, for an hour: the longest it does.
            self.run(f"rig-guest ask {_Q} background busy 500 20000 3600 {cpu}")
        # A restored one needs it again.
        self.run(f"echo '{self.command_directory(GUEST)}' > {_SAVED}.dir")

    def command_directory(self, name):
        """Where a running guest has its command port."""
        return re.search(r"<source mode='bind' path='(.*)/commands'", self.run(f"virsh dumpxml '{name}'"))[1]

    def tids(self):
        """{vCPU index: tid}, by the names that QEMU gives its threads. As `rig-guest tids`, which starts a Python."""
        text = self.run(f"cd /proc/$(cat /run/libvirt/qemu/{_Q}.pid)/task && grep -s '^CPU [0-9]*/KVM$' */comm || [ $? = 2 ]")
        found = (re.fullmatch(r"(\d+)/comm:CPU (\d+)/KVM", line) for line in text.splitlines())
        return {int(match[2]): int(match[1]) for match in found if match}

    def destroy_guest(self):
        """The next test restores another one."""
        self.run(f"virsh destroy {_Q}", check=False)

    def policy(self, profile, seconds=60):
        """Sets the guest's profile, as soon as the daemon knows the guest."""
        self.wait_for(f"pvschedctl policy set {_Q} {profile}", "the guest to be discovered", seconds)

    def vcpus(self):
        return self.ctl(f"show {_Q}")["domain"]["vcpus"]

    def wait_reason(self, reason, seconds=60):
        self.wait_for(f"pvschedctl --json show {_Q} | grep -q '\"reason\":\"{reason}\"'", f"the reason {reason}", seconds)

    def wait_source(self, name, up, seconds=60):
        """Until status says that libvirt, bpf, ... works, or does not."""
        self.wait_for(f"pvschedctl --json status | grep -q '\"{name}\":{{\"ok\":{'true' if up else 'false'}'",
                      f"{name} to be {'there' if up else 'lost'}", seconds)

    def wait_boosted(self, tid, seconds=90):
        """Emulated CPUs stand still while this machine does other things. When a boost is then overdue by 10 ms, the
        guardian must take the daemon for dead. Each further guardian comes later; `enable` starts one at once, and is
        counted."""
        self.wait_for(f"chrt -p {tid} | grep -q SCHED_FIFO || {{ pvschedctl --json status | grep -q "
                      f"'\"guardian\":{{\"ok\":false' && echo 'a guardian that was awaited' >>{_ENABLED} && {_ENABLE}; false; }}",
                      f"thread {tid} to be boosted", seconds)

    def boosted(self, tids):
        """Each of the guest's vCPUs is boosted, or was a moment ago."""
        self.policy("latency")
        for tid in tids.values():
            self.wait_boosted(tid)

    # ---- the checker ----

    def calm(self):
        """Nothing is boosted, and nothing is going to be."""
        if self.code(f"virsh domid {_Q}") == 0:
            self.policy("observe")
        self.wait_for("pvschedctl --json status | grep -q '\"boosted_now\":0[,}]'", "all boosts to be given back")

    @contextlib.contextmanager
    def unchanged(self):
        """Whatever happens meanwhile: afterwards every thread and cgroup has what it had before."""
        self.calm()
        self.snapshot()
        yield
        self.calm()
        assert self.differences() == []

    def snapshot(self):
        """What every thread has now; nothing is boosted."""
        self.run("sched-snapshot save /run/snapshot")

    def differences(self):
        """What differs from snapshot(), without the daemon's own threads, which are new."""
        text = self.run("sched-snapshot compare /run/snapshot --json; [ $? -le 1 ]")
        own = {int(pid) for pid in self.run("pgrep -f '^/usr/sbin/pvschedd'; true").split()}
        return [found for found in json.loads(text[text.index("{"):])["differences"] if found.get("pid") not in own]

    def wait_no_differences(self, seconds=10):
        """As differences(), without a daemon to wait for, such as after the death of both processes."""
        self.wait_for("sched-snapshot compare /run/snapshot >/dev/null", "all threads to be as they were", seconds)


__all__ = ["GUEST", "Host", "MESSAGE_IDS", "PACKAGES", "CommandFailed", "RigError"]
