# SPDX-License-Identifier: GPL-2.0-or-later
"""A domain that runs 40 bytes of real-mode code instead of an operating system: up in half a second.

The code is a boot sector. It makes the PC's timer tick HZ times a second, and in turns computes for
`busy` ticks and halts for `idle` ticks, for ever: a vCPU that wakes, works and sleeps as it is told.
After each halt it runs a loop of `work` steps: less than a tick, on emulated CPUs some ns each.
"""

import contextlib
import glob
import os
import subprocess
import tempfile
import uuid as uuids
from xml.sax.saxutils import escape

from rig import proc
from rig.guest import RUN_DIR
from rig.libvirtd import URI, virsh

PIT_HZ = 1193182
FLOPPY_BYTES = 1474560

_XML = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu placement='static' current='{vcpus}'>{max_vcpus}</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>
  <features><acpi/></features>
  {tuning}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='floppy'>
      <driver name='qemu' type='raw'/>
      <source file='{image}'/>
      <target dev='fda'/>
      <readonly/>
    </disk>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    {devices}
  </devices>
  {arguments}
</domain>
"""

# The two carriers of guest pages, as `pvschedctl attach` makes them.
_MEMFD = """<qemu:commandline>
    <qemu:arg value='-object'/>
    <qemu:arg value='memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='ivshmem-plain,id=pvsched,memdev=pvsched,master=on,addr=0x10'/>
  </qemu:commandline>"""
_SHMEM = """<shmem name='{name}' role='master'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"""


def boot_sector(busy, idle, hz, work=0):
    divisor = min(65535, max(1, PIT_HZ // hz))
    code = bytes([0xFA, 0x31, 0xC0, 0x8E, 0xD8])                  # cli; xor ax,ax; mov ds,ax
    for port, value in ((0x43, 0x34), (0x40, divisor & 0xFF), (0x40, divisor >> 8)):
        code += bytes([0xB0, value, 0xE6, port])                  # mov al,value; out port,al
    code += bytes([0xFB])                                         # sti
    spin = bytes([0xA1, 0x6C, 0x04,                               # b1: mov ax,[0x46c]
                  0x3B, 0x06, 0x6C, 0x04, 0x74, 0xFA,             # b2: cmp ax,[0x46c]; je b2
                  0xE2, 0xF5])                                    # loop b1
    halt = bytes([0xF4, 0xE2, 0xFD])                              # i1: hlt; loop i1
    if work:
        halt = bytes([0xF4, 0x51, 0xB9, work & 0xFF, work >> 8,   # i1: hlt; push cx; mov cx,work
                      0xE2, 0xFE, 0x59, 0xE2, 0xF6])              # i2: loop i2; pop cx; loop i1
    body = b""
    for count, loop in ((busy, spin), (idle, halt)):
        body += bytes([0xB9, count & 0xFF, count >> 8, 0xE3, len(loop)]) + loop  # mov cx,n; jcxz past it
    code += body + bytes([0xEB, 256 - len(body) - 2])             # jmp to the first
    return code.ljust(510, b"\x90") + b"\x55\xaa"


class Firmware:
    """One running domain. `create()` starts it, `destroy()` ends it and removes its files.

    name      may hold blanks and colons
    busy, idle  ticks of 1/HZ s; busy=0: it only wakes and halts; idle=0: it never sleeps
    work      steps of a loop after each halt, up to 65535
    tuning    XML below <domain>, such as <cputune>
    page      carrier of guest pages: "memfd", or the name of a file in /dev/shm
    """

    def __init__(self, name, vcpus=1, max_vcpus=None, busy=0, idle=1, hz=100, work=0, tuning="", page=None, deadman=None):
        self.name = name
        self.uuid = str(uuids.uuid4())
        self.pid = None
        self._deadman = deadman
        self._key = self._pid_key = None
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="firmware-", dir=RUN_DIR)
        os.chmod(self.directory, 0o755)
        self._directory_key = deadman.add(argv=["rm", "-rf", self.directory])
        image = f"{self.directory}/boot.img"
        with open(image, "wb") as file:
            file.write(boot_sector(busy, idle, hz, work))
            file.truncate(FLOPPY_BYTES)
        self.shm_path = f"/dev/shm/{page}" if page and page != "memfd" else None
        if self.shm_path:
            deadman.add(argv=["rm", "-f", self.shm_path])
        self.xml = _XML.format(devices=_SHMEM.format(name=page) if self.shm_path else "",
                               arguments=_MEMFD if page == "memfd" else "",
                               name=escape(name), uuid=self.uuid, vcpus=vcpus, max_vcpus=max_vcpus or vcpus,
                               tuning=tuning, image=image)

    def create(self):
        path = f"{self.directory}/domain.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.xml)
        self._key = self._deadman.add(argv=["virsh", "--connect", URI, "destroy", self.uuid])
        virsh("create", path)
        self.find_process()
        return self

    def find_process(self):
        self.pid = int(proc.read(f"/run/libvirt/qemu/{self.name}.pid"))
        self._pid_key = self._deadman.add(pid=self.pid)

    def tids(self):
        """Threads of the vCPUs, in their order."""
        found = {}
        for tid, comm in proc.threads(self.pid).items():
            if comm.startswith("CPU ") and comm.endswith(("/KVM", "/TCG")):
                found[int(comm[4:].split("/")[0])] = tid
        return [found[index] for index in sorted(found)]

    @property
    def tid(self):
        return self.tids()[0]

    def alive(self):
        return self.pid is not None and proc.start_ticks(self.pid) is not None

    def _remove_groups(self):
        """libvirt forgets the groups of a QEMU that died while libvirtd was away."""
        name = glob.escape(self.name)
        for pattern in ("/sys/fs/cgroup/*/machine*/qemu-*-", "/sys/fs/cgroup/machine*/qemu-*-"):
            for top in glob.glob(f"{pattern}{name}.libvirt-qemu"):
                for directory, _, _ in os.walk(top, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)

    def destroy(self):
        if self._key is not None:
            if self.alive():
                os.kill(self.pid, 18)  # SIGCONT, should a test have stopped it
            try:
                virsh("destroy", self.uuid, check=False, timeout=30)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, 9)
            proc.wait_for(lambda: not self.alive(), 15, f"QEMU {self.pid} of {self.name} to end")
            self._deadman.remove(self._key)
            self._deadman.remove(self._pid_key)
            self._key = None
        self._remove_groups()
        if self.shm_path and os.path.exists(self.shm_path):
            os.unlink(self.shm_path)
        subprocess.run(["rm", "-rf", self.directory], check=True)
        self._deadman.remove(self._directory_key)
