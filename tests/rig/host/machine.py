# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulated host: a QEMU process, its overlay disk, and its directory below /run."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid

from . import emulator, recipe
from .recipe import say
from .remote import Remote
from ..kvm import kvm_works
from ..proc import RigError, read, run, same_process, start_ticks

STATE_DIR = "/run/pvschedd-rig/hosts"
BOOT_SECONDS = 120
MEMORY_MIB = 3072
# Goes before other ordinary work of this machine. For software inside, and for pvschedd above all, a CPU that stands
# still for 10 ms does not do its duty.
NICE = -15
# Emulated hosts see each other here, and are alone: multicast on the loopback interface.
SEGMENT = "230.0.0.230:23023"

_CMDLINE = ("console=ttyS0 panic=-1 oops=panic quiet loglevel=4 mitigations=off tsc=reliable systemd.show_status=0 "
            "net.ifnames=0 transparent_hugepage=madvise")
_DEATHS = re.compile(r"^.*(Kernel panic - not syncing|BUG: |Oops: |general protection fault|Out of memory).*$",
                     re.MULTILINE)


class HostDied(RigError):
    """The emulated kernel panicked or QEMU ended; the text says which."""


def names():
    """All hosts that have a directory, running or not."""
    return sorted(os.listdir(STATE_DIR)) if os.path.isdir(STATE_DIR) else []


def _prefer(pid):
    """Before its threads exist; as far as it is allowed. A kernel may weigh sessions first, then threads within one."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
        file.write(str(NICE))


def nesting():
    """True if this machine's KVM runs KVM hosts: hardware, nesting switched on, and a Linux guest really boots."""
    for vendor in ("amd", "intel"):
        try:
            if read(f"/sys/module/kvm_{vendor}/parameters/nested").strip() in ("1", "Y"):
                break
        except FileNotFoundError:
            continue
    else:
        return False
    # pylint: disable=import-outside-toplevel
    from ..guest import guest_image
    return kvm_works(guest_image(offline=True))


class Machine:
    """The host NAME. Everything known of it is in its directory: any process can go on with it."""

    def __init__(self, name="rig"):
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
            raise RigError(f"'{name}' is no name for a host: small letters, digits and hyphens")
        self.name = name
        self.directory = f"{STATE_DIR}/{name}"
        self._overlay = f"{recipe.CACHE}/overlay-{name}.qcow2"

    # ---- what is ----

    def state(self):
        """What start() wrote: pid, ticks, port, key, host, kernel, release, text, disk, image, emulator, accelerator;
        {} without a host."""
        try:
            return json.loads(read(f"{self.directory}/state.json"))
        except FileNotFoundError:
            return {}

    def running(self):
        state = self.state()
        if not state:
            return False
        try:
            os.waitpid(state["pid"], os.WNOHANG)  # where it is our child, a dead one is not to be seen as alive
        except ChildProcessError:
            pass
        return same_process(state["pid"], state["ticks"])

    def remote(self):
        state = self.state()
        if not state:
            raise RigError(f"there is no host '{self.name}': scripts/rig boot --name {self.name}")
        return Remote(state["port"], state["key"], self.directory)

    def console(self):
        try:
            return read(f"{self.directory}/console")
        except FileNotFoundError:
            return ""

    def cause_of_death(self):
        """The last line of the console that tells why, or a note that it told nothing."""
        lines = [match[0].strip() for match in _DEATHS.finditer(self.console())]
        return lines[-1] if lines else "its console says nothing"

    # ---- starting ----

    def start(self, image, disk=None, kernel=None, write=False):
        """Boots and waits until its multi-user target is reached. Returns the seconds that took.

        image   the base.Image that has its kernels
        disk    what to lay an overlay on; default: the image's own
        kernel  its series; default: the image's first
        write   to the disk itself, to make a layer
        """
        if self.running():
            raise RigError(f"the host '{self.name}' runs already: scripts/rig clean --name {self.name} ends it")
        self.clean()
        os.makedirs(self.directory, mode=0o700)
        begin = time.monotonic()
        disk, kernel = disk or image.disk, kernel or next(iter(image.kernels()))
        if not write:
            backing = "raw" if disk.endswith(".img") else "qcow2"
            run("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", backing, self._overlay)
        accelerator = "kvm" if nesting() else "tcg"
        program = emulator.newest()
        argv = emulator.argv(program) + self._argv(image.boot_files(kernel), disk if write else self._overlay, accelerator)
        with open(f"{self.directory}/qemu.log", "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                       start_new_session=True)
        if not write:
            _prefer(process.pid)
        self._write_state({"pid": process.pid, "ticks": start_ticks(process.pid), "port": 0, "key": image.key,
                           "host": image.suite, "kernel": kernel, "release": image.kernels()[kernel],
                           "text": image.text(kernel), "disk": disk, "image": image.directory, "emulator": program,
                           "accelerator": accelerator})
        try:
            self._forward_port(process)
            self._wait_ready(process, begin + BOOT_SECONDS)
        except BaseException:
            self._end_process()
            raise
        return time.monotonic() - begin

    def _number(self):
        """Of its address on the segment; the first that no other host has."""
        with open(f"{STATE_DIR}/../numbers.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            taken = set()
            for other in names():
                try:
                    taken.add(int(read(f"{STATE_DIR}/{other}/number")))
                except (FileNotFoundError, ValueError):
                    continue
            number = next(candidate for candidate in range(1, 200) if candidate not in taken)
            with open(f"{self.directory}/number", "w", encoding="ascii") as file:
                file.write(str(number))
        return number

    def _argv(self, boot_files, disk, accelerator):
        number = self._number()
        identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.pvschedd-rig.invalid")
        accelerator = ["-accel", "kvm", "-cpu", "host"] if accelerator == "kvm" else \
            ["-accel", "tcg,thread=multi", "-cpu", "max,+svm"]
        disk_format = "raw" if disk.endswith(".img") else "qcow2"
        return [
            "-name", f"pvschedd-rig-{self.name}", *accelerator, "-machine", "pc",
            "-smp", "2", "-m", str(MEMORY_MIB), "-uuid", str(identity), "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", boot_files[0], "-initrd", boot_files[1],
            "-append", f"{_CMDLINE} systemd.hostname={self.name} systemd.machine_id={identity.hex} "
                       f"rig.number={number}",
            "-drive", f"file={disk},format={disk_format},if=none,id=root,cache=unsafe,discard=unmap",
            "-device", "virtio-blk-pci,drive=root",
            "-netdev", "user,id=outside,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22",
            "-device", f"virtio-net-pci,netdev=outside,mac=52:54:00:70:{number:02x}:01,romfile=",
            "-netdev", f"socket,id=segment,mcast={SEGMENT},localaddr=127.0.0.1",
            "-device", f"virtio-net-pci,netdev=segment,mac=52:54:00:70:{number:02x}:02,romfile=",
            "-serial", f"file:{self.directory}/console", "-serial", f"file:{self.directory}/ready",
            "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off",
        ]

    def _write_state(self, state):
        temporary = f"{self.directory}/state.json.new"
        with open(temporary, "w", encoding="ascii") as file:
            json.dump(state, file)
        os.replace(temporary, f"{self.directory}/state.json")

    def _forward_port(self, process):
        """QEMU lets the kernel choose the port, so no two hosts can want the same; asks it which."""
        deadline = time.monotonic() + 20
        text = None
        while text is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RigError(f"QEMU did not start: {read(f'{self.directory}/qemu.log').strip()}")
            try:
                text = self.monitor("info usernet")
            except (FileNotFoundError, ConnectionRefusedError):  # bound a moment before it listens
                time.sleep(0.02)
        match = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", text)
        if not match:
            raise RigError(f"QEMU forwards no port: {text}")
        self._write_state({**self.state(), "port": int(match[1])})

    def monitor(self, line):
        """One command of QEMU's human monitor; its answer."""
        return self._qmp("human-monitor-command", {"command-line": line})

    def _qmp(self, command, arguments=None):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(20)
            connection.connect(f"{self.directory}/qmp")
            stream = connection.makefile("rw", encoding="utf-8")
            stream.readline()
            for name, values in (("qmp_capabilities", {}), (command, arguments or {})):
                stream.write(json.dumps({"execute": name, "arguments": values}) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline() or "null")
                    if answer is None:
                        return ""  # it has ended, as the command may have asked
                    if "error" in answer:
                        raise RigError(f"QEMU refuses {name}: {answer['error']}")
                    if "return" in answer:
                        break
        return answer["return"]

    def _wait_ready(self, process, deadline):
        while "ready" not in read(f"{self.directory}/ready"):
            if process.poll() is not None:
                raise HostDied(f"the emulated host '{self.name}' died while booting: {self.cause_of_death()}")
            if time.monotonic() > deadline and self._paused():
                deadline = time.monotonic() + BOOT_SECONDS
            if time.monotonic() > deadline:
                raise HostDied(f"the emulated host '{self.name}' did not come up within {BOOT_SECONDS} s; its console "
                               f"ends with: {self.console()[-500:]}")
            time.sleep(0.05)

    # ---- using ----

    def call(self, command, timeout=300, **kwargs):
        """Runs a shell command inside; HostDied when the host, and not the command, failed."""
        try:
            done = self.remote().call(command, timeout=timeout, **kwargs)
        except subprocess.TimeoutExpired:
            self._raise_if_dead()
            self._raise_if_hung()
            raise
        if done.returncode == 255:
            # The command may exit with 255 itself. A dying QEMU takes a moment to end.
            for _ in range(20):
                self._raise_if_dead()
                time.sleep(0.1)
            self._raise_if_hung()
        return done

    def _paused(self):
        """True if its monitor has stopped it, such as for a measurement beside it: neither dead nor hung."""
        try:
            return "paused" in self.monitor("info status")
        except OSError:
            return False

    def _raise_if_hung(self):
        """A host that does not even answer counts as dead: it is ended."""
        while True:
            try:
                if self.remote().call("true", stdin=subprocess.DEVNULL, timeout=60).returncode == 0:
                    return
            except subprocess.TimeoutExpired:
                pass
            if not self._paused():
                break
            say(f"the emulated host '{self.name}' is paused: waiting")
            while self._paused():
                time.sleep(1)
        self._end_process()
        raise HostDied(f"the emulated host '{self.name}' hung: {self.cause_of_death()}")

    def _raise_if_dead(self):
        if not self.running():
            raise HostDied(f"the emulated host '{self.name}' died: {self.cause_of_death()}")

    # ---- ending ----

    def power_off(self):
        """An orderly end, so that all is on the disk."""
        self.call("systemctl --no-block start poweroff.target", stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while self.running():
            if time.monotonic() > deadline:
                raise RigError(f"the host '{self.name}' does not power off")
            time.sleep(0.1)

    def _end_process(self):
        state = self.state()
        if not state or not self.running():
            return
        os.kill(state["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 5
        while self.running():
            if time.monotonic() > deadline:
                os.kill(state["pid"], signal.SIGKILL)
            time.sleep(0.02)

    def clean(self):
        """Ends the host, if it runs, and removes all that was its own. May be called twice."""
        state = self.state()
        if state:
            try:
                self.remote().close()
            except (OSError, subprocess.TimeoutExpired) as error:
                say(f"the connection to '{self.name}' could not be closed: {error}")
        self._end_process()
        if os.path.exists(self._overlay):
            os.unlink(self._overlay)
        shutil.rmtree(self.directory, ignore_errors=True)
