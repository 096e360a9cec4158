# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays a guest on the guest pages of a running domain, in the memory that its guest has.

Written from pvsched-protocol(7), not from the headers: a difference is a mistake in one of the two.
"""

import ctypes
import mmap
import os
import struct

from . import proc
from .proc import RigError

PAGE = 4096
MAGIC = b"pvschedd"
NORMAL, FIFO = 0, 1
STATUSES = ("disabled", "enabled", "unknown-policy", "abi-mismatch", "policy-version-mismatch",
            "protocol-mismatch", "mode-mismatch")


def tuple_of(policy, nice=0, priority=0):
    return policy | (nice & 0xFF) << 8 | priority << 16


def find(pid, size=1 << 20):
    """/proc/PID/fd/N of the carrier of a QEMU: by name and size."""
    for number in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{number}"
        try:
            target, found = os.readlink(path), os.stat(path).st_size
        except FileNotFoundError:
            continue
        if found == size and ("memory-backend-memfd" in target or target.startswith("/dev/shm/pvsched-")):
            return path
    raise RigError(f"QEMU {pid} has no carrier of {size} bytes")


class Region:
    """The whole region, mapped."""

    def __init__(self, pid):
        self.fd = os.open(find(pid), os.O_RDWR)
        self.memory = mmap.mmap(self.fd, os.fstat(self.fd).st_size)
        self.size = len(self.memory)

    def close(self):
        self.memory.close()
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def magic(self):
        return self.memory[:8]

    @property
    def generation(self):
        return struct.unpack_from("<Q", self.memory, 24)[0]

    def write_generation(self, generation):
        """As a migration does, which brings another host's."""
        struct.pack_into("<Q", self.memory, 24, generation)

    @property
    def page_count(self):
        return struct.unpack_from("<I", self.memory, 12)[0]

    def apic_id(self, index):
        return struct.unpack_from("<I", self.memory, 1024 + 4 * index)[0]

    def wait_host(self, seconds=10, other_than=0):
        """Until a host is here, with another generation than @other_than."""
        return proc.wait_for(lambda: self.generation not in (0, other_than) and self.generation, seconds,
                             "the host to begin a generation")

    def page(self, vcpu=0):
        return Page(self, vcpu)


class Page:
    """One vCPU's page."""

    def __init__(self, region, vcpu):
        self._base = PAGE * (1 + vcpu)
        self._region = region
        self._sequence = 0
        self._task = False

    def _u64(self, offset):
        # one aligned store or load, not one byte after the other
        return ctypes.c_uint64.from_buffer(self._region.memory, self._base + offset)

    def read(self, offset, form):
        return struct.unpack_from(f"<{form}", self._region.memory, self._base + offset)[0]

    def write(self, offset, form, value):
        struct.pack_into(f"<{form}", self._region.memory, self._base + offset, value)

    def hello(self, abi=1, name=b"pvschedd", version=1, protocol=0, mode=0, apic=None, agent=0, generation=None):
        self.write(0, "I", abi)
        self.write(4, "I", version)
        self.write(8, "32s", name)
        self.write(40, "I", protocol)
        self.write(44, "I", mode)
        vcpu = self._base // PAGE - 1
        self.write(288, "I", self._region.apic_id(vcpu) if apic is None else apic)
        self.write(292, "I", vcpu)
        self.write(296, "I", agent)
        self._u64(272).value = self._region.generation if generation is None else generation

    @property
    def status(self):
        value = self.read(48, "I")
        return STATUSES[value] if value < len(STATUSES) else value

    def wait_status(self, status, seconds=10):
        try:
            proc.wait_for(lambda: self.status == status, seconds, f"the status {status}")
        except RigError as error:
            raise RigError(f"{error}; it is {self.status}") from None

    def negotiate(self, seconds=10):
        self._region.wait_host(seconds)
        self.hello()
        self.wait_status("enabled", seconds)

    def ask(self, policy, priority=0, expect_us=0):
        """The next request; FIFO is urgent, NORMAL is not."""
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        self._u64(264).value = expect_us | self._sequence << 32
        self._u64(256).value = tuple_of(policy, 0, priority) | self._sequence << 32

    def runs(self, policy, priority=0):
        """What an agent says of the guest's scheduler: such a task runs. Each call renews it."""
        self._task = not self._task
        pending = tuple_of(NORMAL, 0, 0) << 24 | 1 << 48 if self._task else 0
        self._u64(64).value = tuple_of(policy, 0, priority) | pending

    def urgent(self):
        self.ask(FIFO, 50)

    def ordinary(self, expect_us=0):
        self.ask(NORMAL, 0, expect_us)

    @property
    def boost(self):
        return self.read(128, "Q") >> 40 & 0xFF

    @property
    def throttled(self):
        return self.read(128, "Q") >> 32 & 0xFF

    def host_line(self):
        names = ("generation", "run_delay_ns", "boosted_ns", "cpu", "flags", "boosts", "throttles", "published_ns")
        return dict(zip(names, struct.unpack_from("<QQQIIQQQ", self._region.memory, self._base + 192)))
