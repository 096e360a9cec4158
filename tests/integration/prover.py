# SPDX-License-Identifier: GPL-2.0-or-later
"""The program prove.c, and the pages of an agent, written from pvsched-protocol(7)."""

import json
import struct
import subprocess

SERVED, NOT_FOUND, ENCRYPTED = 0, 4, 5
GENERATION, NONCE, AGENT = 0x1122334455667788, 0x66778899AABBCCDD, 7


class Prover:
    """`with Prover(build_dir) as prover:`."""

    def __init__(self, build_dir):
        self._process = subprocess.Popen([f"{build_dir}/tests/integration/prove"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def prove(self, pid, pages, generation=GENERATION, nonce=NONCE, agent=AGENT):
        """pages: [(CPU, APIC id, guest-physical address), ...]"""
        return self._ask("prove", pid, generation, nonce, agent, *(f"{cpu}:{apic}:{address}" for cpu, apic, address in pages))

    def words(self, index):
        return self._ask("words", index)

    def trace(self, tid, index):
        return self._ask("trace", tid, index)

    def heard(self):
        return self._ask("heard")


def page_of(cpu, apic, generation=GENERATION, nonce=NONCE, agent=AGENT):
    """What an agent stores, up to byte 320."""
    page = bytearray(320)
    struct.pack_into("<II32s", page, 0, 1, 1, b"pvschedd")
    struct.pack_into("<QQIII", page, 272, generation, nonce, apic, cpu, agent)
    return bytes(page)


def write(pid, address, data):
    """As the guest does, by QEMU's address."""
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(data)


def read(pid, address, size):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(size)
