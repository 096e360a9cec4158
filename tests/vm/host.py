# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated host as the tests see it: commands, the service, its journal, one small guest."""

import json
import shlex
import subprocess
import time

from rig.host import commands
from rig.host.machine import Machine
from rig.proc import RigError

GUEST = "vm guest:1"
PACKAGES = "/opt/pvschedd-rig/packages"
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
    """Boots when first used. A test that finds it dead is repeated on a new one (conftest.py)."""

    def __init__(self, kernel):
        self.kernel = kernel
        self._name = f"vm-{kernel.replace('.', '-')}"
        self._machine = Machine(self._name)
        self.boots = 0

    def machine(self):
        if not self._machine.running():
            self._machine.clean()
            commands.boot(self._name, self.kernel)
            self.boots += 1
        return self._machine

    def clean(self):
        self._machine.clean()

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

    def show(self, *properties):
        """{property: value} of the unit."""
        text = self.run("systemctl show pvschedd " + " ".join(f"-p {name}" for name in properties))
        return dict(line.split("=", 1) for line in text.splitlines())

    def main_pid(self):
        return int(self.show("MainPID")["MainPID"])

    def wait_active(self, seconds=60):
        self.wait_for("systemctl is-active --quiet pvschedd", "pvschedd to be active", seconds)

    def restart(self):
        """A service without a past: no failures counted, breaker closed."""
        self.run("systemctl reset-failed pvschedd; systemctl restart pvschedd")
        self.run("pvschedctl enable")

    def ctl(self, arguments):
        """The answer of pvschedctl, as JSON."""
        return json.loads(self.run(f"pvschedctl --json {arguments}"))

    def journal(self, since=None, **fields):
        """Entries of the unit as dicts, with these values in these fields. since: a cursor, as cursor() gives it.

        Matched here: with a match, journalctl 252 leaves out the first entry after a cursor that does not match.
        """
        after = f"--after-cursor={shlex.quote(since)}" if since else ""
        text = self.run(f"journalctl --sync; journalctl {after} -o json --no-pager")
        entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        fields["_SYSTEMD_UNIT"] = "pvschedd.service"
        return [entry for entry in entries if all(entry.get(key) == value for key, value in fields.items())]

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
        """{vCPU index: tid} of a running guest with two vCPUs that work a little all the time."""
        name = shlex.quote(GUEST)
        if self.code(f"virsh domid {name}") != 0:
            self.run(f"rig-guest start {name} --vcpus 2", timeout=400)
            for cpu in (0, 1):
                # 500 us of every 20 ms, for an hour.
                self.run(f"rig-guest ask {name} background busy 500 20000 3600 {cpu}")
        return self.tids()

    def tids(self):
        text = self.run(f"rig-guest tids {shlex.quote(GUEST)}")
        return {int(index): int(tid) for index, tid in (line.split() for line in text.splitlines())}

    def destroy_guest(self):
        self.run(f"rig-guest stop {shlex.quote(GUEST)}", check=False)

    def wait_boosted(self, tid, seconds=90):
        self.wait_for(f"chrt -p {tid} | grep -q SCHED_FIFO", f"thread {tid} to be boosted", seconds)

    # ---- the checker ----

    def snapshot(self):
        """What every thread has now; no daemon must run, or none may have boosted anything yet."""
        self.run("sched-snapshot save /run/snapshot")

    def differences(self):
        """What is not as it was at snapshot(). The daemon's own threads, which are new, are none of it."""
        text = self.run("sched-snapshot compare /run/snapshot --json; [ $? -le 1 ]")
        own = {int(pid) for pid in self.run("pgrep -f '^/usr/sbin/pvschedd'; true").split()}
        return [found for found in json.loads(text[text.index("{"):])["differences"] if found.get("pid") not in own]


__all__ = ["GUEST", "Host", "MESSAGE_IDS", "PACKAGES", "CommandFailed", "RigError"]
