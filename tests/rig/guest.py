# SPDX-License-Identifier: GPL-2.0-or-later
"""A small real Linux guest as an ordinary, transient libvirt domain."""

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from xml.sax.saxutils import escape

from . import proc
from .deadman import NoDeadman
from .kvm import kvm_works
from .libvirtd import URI, virsh
from .proc import RigError

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_DIR = "/run/pvschedd-rig"

# Under emulation all vCPUs read the machine's own TSC: in step, but the kernel cannot know and takes
# the HPET instead, each reading of which is a trip through QEMU's big lock. Nor has an emulated CPU anything
# that mitigations could mitigate.
_CMDLINE = {"kvm": "console=ttyS0 panic=-1 quiet", "qemu": "console=ttyS0 panic=-1 quiet tsc=reliable mitigations=off"}

_XML = """<domain type='{type}'{namespace}>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu placement='static' current='{vcpus}'>{max_vcpus}</vcpu>
{iothreads}  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>
    <kernel>{image}/vmlinuz</kernel>
    <initrd>{image}/initramfs.cpio.gz</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>{on_reboot}</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='null'><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='{socket}'/><target port='1'/></serial>
    <memballoon model='none'/>
{devices}  </devices>
{page}</domain>
"""

# The guest page's memory: libvirt has no element of its own for an ivshmem device on a memfd.
_QEMU_NAMESPACE = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
_PAGE = """  <qemu:commandline>
    <qemu:arg value='-object'/>
    <qemu:arg value='memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='ivshmem-plain,id=pvsched,memdev=pvsched,master=on,addr=0x10'/>
  </qemu:commandline>
"""


def guest_image(offline=False, io=False, loads=False):
    """Directory of kernel and initramfs, built if need be.

    offline   never downloads
    io        the larger one, with drivers and programs for disk and network
    loads     another larger one, with dbench
    """
    script = os.path.join(REPOSITORY, "scripts", "guest-image")
    words = [f"--{name}" for name, on in (("offline", offline), ("io", io), ("loads", loads)) if on]
    return proc.run(script, *words, timeout=300).strip().splitlines()[-1]


class Guest:
    """One running guest. `with Guest("name") as guest:` boots it, waits for it and destroys it.

    name      of the domain; may hold blanks and colons
    type      "kvm", "qemu" (emulation), or None: KVM if a guest really boots under it here
    vcpus     at start; max_vcpus: room for `virsh setvcpus --live`
    machine   "pc" or "q35"
    image     as guest_image() gives it
    page      with the memory of the guest page; such a domain is tainted
    on_reboot what libvirt does when it is reset or reboots: "destroy" or "restart"
    devices   more of them, as XML; iothreads: how many there are for them
    """

    def __init__(self, name="pvsched-guest", type=None, vcpus=1, max_vcpus=None, machine="pc",
                 memory_mib=256, image=None, deadman=None, page=False, on_reboot="destroy",
                 devices="", iothreads=0):
        self.name = name
        self.page = page
        self.image = image or guest_image()
        self.type = type or ("kvm" if kvm_works(self.image) else "qemu")
        self.pid = None
        self._deadman = deadman or NoDeadman()
        self._key = None
        self._socket = None
        self._buffer = b""
        self._pings = 0
        self._silent = False
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        self._dir = tempfile.mkdtemp(prefix="guest-", dir=RUN_DIR)
        os.chmod(self._dir, 0o755)
        self._dir_key = self._deadman.add(argv=["rm", "-rf", self._dir])
        self._socket_path = f"{self._dir}/commands"
        self.xml = _XML.format(
            type=self.type, name=escape(name), vcpus=vcpus, max_vcpus=max_vcpus or vcpus, machine=machine,
            memory_mib=memory_mib, image=self.image, cmdline=_CMDLINE[self.type], socket=self._socket_path,
            on_reboot=on_reboot, devices=devices, iothreads=f"  <iothreads>{iothreads}</iothreads>\n" if iothreads else "",
            namespace=_QEMU_NAMESPACE if page else "", page=_PAGE if page else "")

    def __enter__(self):
        try:
            self.create()
            self.wait_ready()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(self, *_):
        self.destroy()

    def create(self):
        """Starts the domain; returns at once, before its kernel is up."""
        path = f"{self._dir}/domain.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.xml)
        self._key = self._deadman.add(argv=["virsh", "--connect", URI, "destroy", self.name])
        virsh("create", path)
        self.follow_boot()

    def follow_boot(self):
        """For a domain that has just started: to be called at once, since a guest's output is lost while no client
        listens."""
        self.find_process()
        self.connect()
        self._silent = True

    def find_process(self):
        """Looks up QEMU's pid and the id of the domain again: after a restore they are new."""
        self.pid = int(proc.read(f"/run/libvirt/qemu/{self.name}.pid"))

    def uuid(self):
        return virsh("domuuid", self.name).strip()

    def connect(self):
        """Opens the command port; a restored domain needs it again."""
        self._close()
        self._silent = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(self._socket_path)

    def wait_ready(self, seconds=60):
        """Waits until the guest's command server answers.

        A guest that boots must speak first. Data that arrives while its driver sets up the port, whose interrupt is by
        edge, can leave that interrupt pending for good, and the guest deaf.
        """
        deadline = time.monotonic() + seconds
        if self._socket is None:
            self.connect()
        ask_at = deadline - seconds / 3  # if that line is lost
        while not (self._hear_ready(0.3) if self._silent and time.monotonic() < ask_at else self._ping(0.3)):
            if not os.path.exists(f"/proc/{self.pid}"):
                raise RigError(f"QEMU of {self.name} died while booting: see /var/log/libvirt/qemu/{self.name}.log")
            if time.monotonic() > deadline:
                what = "said nothing" if self._silent else "did not answer"
                raise RigError(f"guest {self.name} {what} on {self._socket_path} within {seconds} s: "
                               f"see /var/log/libvirt/qemu/{self.name}.log")
        # Bytes sent while it was reset may have arrived garbled, and been answered by errors: all that comes before the
        # answer to this one is discarded.
        if not self._ping(10):
            raise RigError(f"guest {self.name} answered once on {self._socket_path} and not again")

    def _hear_ready(self, seconds):
        """True once the guest's command server has said by itself that it is there."""
        deadline = time.monotonic() + seconds
        try:
            while not self._read_line(deadline - time.monotonic()).endswith("# ready"):
                pass
        except TimeoutError:
            return False
        self._silent = False
        return True

    def _ping(self, seconds):
        self._pings += 1
        token = f"{os.getpid()}-{self._pings}"
        # The blank line ends half a line that the port may hold.
        self._socket.sendall(f"\nping {token}\n".encode())
        deadline = time.monotonic() + seconds
        try:
            while f'"pong":"{token}"' not in self._read_line(deadline - time.monotonic()):
                pass
            return True
        except TimeoutError:
            return False

    def command(self, text, seconds=60, on_mark=None):
        """Sends one command; its answer as a dict. on_mark(text) is called for "start" and "end"."""
        self._socket.sendall(text.encode() + b"\n")
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._read_line(deadline - time.monotonic())
            except TimeoutError:
                raise RigError(f"guest {self.name} gave no answer to '{text}' within {seconds} s") from None
            if line.startswith("# "):
                if on_mark:
                    on_mark(line[2:])
                continue
            answer = json.loads(line)
            if not answer["ok"]:
                raise RigError(f"guest {self.name}: {answer['error']}")
            return answer

    def _read_line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise TimeoutError
            chunk = self._socket.recv(65536)
            if not chunk:
                raise RigError(f"guest {self.name} closed its command port: it was destroyed or crashed: see "
                               f"/var/log/libvirt/qemu/{self.name}.log")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def vcpu_tids(self):
        """{vCPU index: thread id}, by the names that QEMU gives its threads."""
        found = {}
        for tid, name in proc.threads(self.pid).items():
            match = re.fullmatch(r"CPU (\d+)/(KVM|TCG)", name)
            if match:
                found[int(match[1])] = tid
        return dict(sorted(found.items()))

    def helper_tids(self):
        """{tid: name} of all threads that are no vCPU; the main thread has the process's pid."""
        vcpus = set(self.vcpu_tids().values())
        return {tid: name for tid, name in proc.threads(self.pid).items() if tid not in vcpus}

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer = b""

    def destroy(self):
        """Destroys the domain, if it still is there, and removes its files. May be called twice."""
        self._close()
        if self._key is not None:
            try:
                virsh("destroy", self.name, check=False, timeout=30)
            except subprocess.TimeoutExpired:
                print(f"virsh destroy {self.name} hangs: killing its QEMU {self.pid}")
                if self.pid and os.path.exists(f"/proc/{self.pid}"):
                    os.kill(self.pid, 9)
            self._deadman.remove(self._key)
            self._key = None
        for name in ("commands", "domain.xml"):
            try:
                os.unlink(f"{self._dir}/{name}")
            except FileNotFoundError:
                pass
        if os.path.isdir(self._dir):
            os.rmdir(self._dir)
        self._deadman.remove(self._dir_key)
