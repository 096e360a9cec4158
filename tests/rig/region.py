# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of the guest page of a running QEMU, and a test that plays the host for it.

Shares no code with pvschedd: it is written from pvsched-protocol(7).
"""

import ctypes
import glob
import mmap
import os
import struct

from .proc import RigError

MAGIC = b"pvschedd"
PAGE = 4096
NO_HOST, ENABLED = 0, 1
OFFSETS = {  # of a page: (offset, type)
    "abi_version": (0, ctypes.c_uint32), "policy_version": (4, ctypes.c_uint32), "protocol_id": (40, ctypes.c_uint32),
    "requested_mode": (44, ctypes.c_uint32), "status": (48, ctypes.c_uint32), "host_abi_version": (52, ctypes.c_uint32),
    "applied_state": (128, ctypes.c_uint64), "generation": (192, ctypes.c_uint64), "run_delay_ns": (200, ctypes.c_uint64),
    "boosted_ns": (208, ctypes.c_uint64), "host_cpu": (216, ctypes.c_uint32), "host_flags": (220, ctypes.c_uint32),
    "boosts": (224, ctypes.c_uint64), "throttles": (232, ctypes.c_uint64), "published_ns": (240, ctypes.c_uint64),
    "request": (256, ctypes.c_uint64), "expect": (264, ctypes.c_uint64), "generation_echo": (272, ctypes.c_uint64),
    "apic_id": (288, ctypes.c_uint32), "cpu_index": (292, ctypes.c_uint32),
}


def path(pid):
    """The memfd of the object, as a file in /proc; the one descriptor of that name and size."""
    found = {}
    for name in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            if os.readlink(name).startswith("/memfd:memory-backend-memfd") and os.stat(name).st_size == 1 << 20:
                found[os.stat(name).st_ino] = name
        except FileNotFoundError:
            pass
    if len(found) != 1:
        raise RigError(f"QEMU {pid} has {len(found)} memfds of 1 MiB, not one: boot the guest with page=True")
    return next(iter(found.values()))


class Region:
    """`with Region(guest.pid) as region:` maps it; nothing is written before come()."""

    def __init__(self, pid):
        handle = os.open(path(pid), os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(handle, 0)
        finally:
            os.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._map.close()

    def come(self, generation, apic_ids):
        """The host is there, with a page for each of these APIC ids."""
        self._map[:24] = struct.pack("<8sIIII", MAGIC, 1, len(apic_ids), PAGE, 0)
        self._map[1024:1024 + 4 * len(apic_ids)] = struct.pack(f"<{len(apic_ids)}I", *apic_ids)
        self._set(24, ctypes.c_uint64, generation)

    def go(self):
        self._set(24, ctypes.c_uint64, NO_HOST)

    def answer(self, page, status=ENABLED, **words):
        """The host's line, then the status. Pages are counted from 1."""
        self.set(page, generation=self._get(24, ctypes.c_uint64), host_abi_version=1, **words)
        self.set(page, status=status)

    def get(self, page, word):
        offset, kind = OFFSETS[word]
        return self._get(page * PAGE + offset, kind)

    def set(self, page, **words):
        for word, value in words.items():
            offset, kind = OFFSETS[word]
            self._set(page * PAGE + offset, kind, value)

    def policy_name(self, page):
        return self._map[page * PAGE + 8:page * PAGE + 40].rstrip(b"\0").decode("ascii")

    def bytes(self):
        return bytes(self._map)

    # ctypes reads and writes a word at once, which slices do not promise. Its view must not outlive the call: a map
    # with views cannot be closed.
    def _get(self, offset, kind):
        return kind.from_buffer(self._map, offset).value

    def _set(self, offset, kind, value):
        kind.from_buffer(self._map, offset).value = value
