# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU started by hand, as Proxmox or a script would: without libvirt, in a cgroup of its own."""

import contextlib
import glob
import os
import socket
import subprocess
import tempfile
import time
import uuid as uuids

from firmware import FLOPPY_BYTES, boot_sector
from rig import proc
from rig.guest import RUN_DIR

QEMU = "/usr/bin/qemu-system-x86_64"


def _modules():
    """A copy of QEMU looks for its modules beside itself."""
    found = glob.glob("/usr/lib/*/qemu/accel-tcg-*.so") + glob.glob("/usr/lib*/qemu*/accel-tcg-*.so")
    return {"QEMU_MODULE_DIR": os.path.dirname(found[0])} if found else {}


class Bare:
    """`create()` starts it, `destroy()` ends it and removes what is left of it.

    arguments  names and numbers, such as ["-id", "100"]; None: -name guest=NAME and -uuid
    accel      "tcg" or "kvm"; with the latter it stays stopped, since the guest needs no KVM to run
    binary     what is executed
    prefix     a command that executes it, such as setpriv
    machine    its type; with "none" it has no devices and no vCPUs
    more       arguments behind all others
    group      its cgroup, below the root of the hierarchy
    env        added to its environment
    """

    def __init__(self, name, vcpus=1, max_vcpus=None, busy=0, idle=1, hz=100, arguments=None, accel="tcg",
                 binary=QEMU, prefix=(), machine="pc", more=(), group=None, env=None, deadman=None):
        self.name, self.uuid = name, str(uuids.uuid4())
        self.pid = self._process = self.started = None
        self._deadman, self._keys, self._env = deadman, [], env or {}
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="bare-", dir=RUN_DIR)
        os.chmod(self.directory, 0o1777)  # whichever user it runs as makes its socket there
        self._keys.append(deadman.add(argv=["rm", "-rf", self.directory]))
        image = f"{self.directory}/boot.img"
        with open(image, "wb") as file:
            file.write(boot_sector(busy, idle, hz))
            file.truncate(FLOPPY_BYTES)
        os.chmod(image, 0o644)
        if arguments is None:
            arguments = ["-name", f"guest={name},debug-threads=on", "-uuid", self.uuid]
        self.qmp = f"{self.directory}/qmp"
        self._argv = [*prefix, binary, *arguments, "-machine", machine, "-accel", accel,
                      "-display", "none", "-nodefaults", "-qmp", f"unix:{self.qmp},server=on,wait=off",
                      "-L", "/usr/share/qemu", "-L", "/usr/share/seabios"]
        if machine != "none":
            self._argv += ["-m", "64", "-smp", f"{vcpus},maxcpus={max_vcpus or vcpus}", "-cpu", "qemu64", "-boot", "a",
                           "-drive", f"file={image},if=floppy,format=raw,readonly=on"]
        self._argv += more
        if accel == "kvm":
            self._argv.append("-S")
        # "machine-NAME.": where the scene looks for RT budgets that are left
        self._group = f"{proc.cpu_cgroup(os.getpid())[0]}/{group or f'machine-{name}.scope'}"

    def create(self, wait=True):
        os.makedirs(self._group, exist_ok=True)
        self._keys.append(self._deadman.add(argv=["rmdir", self._group]))

        def enter():
            with open(f"{self._group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            proc.die_with_parent()

        with open(f"{self.directory}/log", "wb") as log:
            self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             preexec_fn=enter, cwd=self.directory, env={**os.environ, **_modules(), **self._env})
        self.pid, self.started = self._process.pid, time.monotonic()
        self._keys.append(self._deadman.add(pid=self.pid))
        if wait:
            proc.wait_for(self._greets, 20, f"QEMU {self.pid} to be up")
        return self

    def _greets(self):
        """Its main loop runs: all that it does to its threads at its start is done."""
        if not self.alive():
            raise proc.RigError(f"QEMU ended with {self._process.returncode}: {self.log()[-1000:]}")
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.qmp)
            except OSError:
                return False
            return connection.recv(1)

    def log(self):
        return proc.read(f"{self.directory}/log")

    def tids(self):
        """Threads of the vCPUs, in their order."""
        found = {int(comm[4:].split("/")[0]): tid for tid, comm in proc.threads(self.pid).items()
                 if comm.startswith("CPU ") and comm.endswith(("/KVM", "/TCG"))}
        return [found[index] for index in sorted(found)]

    @property
    def tid(self):
        return self.tids()[0]

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def kill(self):
        self._process.kill()
        self._process.wait()

    def destroy(self):
        if self.alive():
            self.kill()
        if os.path.isdir(self._group):
            with contextlib.suppress(FileNotFoundError):
                proc.wait_for(self._remove_group, 10, f"{self._group} to be empty")
        subprocess.run(["rm", "-rf", self.directory], check=True)
        for key in self._keys:
            self._deadman.remove(key)
        self._keys = []

    def _remove_group(self):
        try:
            os.rmdir(self._group)
        except OSError as error:
            return isinstance(error, FileNotFoundError)
        return True
