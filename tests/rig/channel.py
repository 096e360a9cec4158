# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that a test plays to a guest's agent, and the agent's pages as any reader of its memory sees them.

Shares no code with pvschedd: it is written from pvsched/channel.h and pvsched-protocol(7).
"""

import os
import select
import socket
import struct

MAGIC = 0x43505650
HELLO, CHALLENGE, STORED, ANSWER, STATE = range(1, 6)
SERVED, NO_DOMAIN = 0, 1
PAGE = 4096


def _head(kind, size):
    return struct.pack("<IHHII", MAGIC, 1, kind, size, 0)


class Hello:
    """What an agent said."""

    def __init__(self, frame):
        self.abi, self.agent_generation, policies, cpus, self.unavailable = struct.unpack_from("<IIIIQ", frame, 16)
        self.version, self.kernel = (text.rstrip(b"\0").decode() for text in (frame[40:72], frame[72:136]))
        at = 152
        self.policies = [(frame[at + 40 * i:at + 40 * i + 32].rstrip(b"\0").decode(),
                          struct.unpack_from("<I", frame, at + 40 * i + 32)[0]) for i in range(policies)]
        at += 40 * policies
        self.cpus = {index: (apic_id, address) for index, apic_id, address in
                     (struct.unpack_from("<IIQ", frame, at + 16 * i) for i in range(cpus))}
        assert at + 16 * cpus == len(frame)


class Host:
    """Listens at a socket; one agent at a time."""

    def __init__(self, path):
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(1)
        self._agent = None

    def close(self):
        self.hang_up()
        self._listening.close()

    def accept(self, timeout_s=10):
        self._listening.settimeout(timeout_s)
        self._agent = self._listening.accept()[0]
        self._agent.settimeout(timeout_s)
        return self.hello()

    def hang_up(self):
        if self._agent:
            self._agent.close()
            self._agent = None

    def _receive(self, size):
        data = b""
        while len(data) < size:
            more = self._agent.recv(size - len(data))
            assert more, "the agent closed the connection"
            data += more
        return data

    def frame(self):
        head = self._receive(16)
        magic, version, kind, size, reserved = struct.unpack("<IHHII", head)
        assert (magic, version, reserved) == (MAGIC, 1, 0)
        return kind, head + self._receive(size - 16)

    def hello(self):
        kind, frame = self.frame()
        assert kind == HELLO
        return Hello(frame)

    def is_quiet(self, seconds):
        """True if the agent says nothing, and stays, for so long."""
        return not select.select([self._agent], [], [], seconds)[0]

    def ended(self):
        """Waits for the agent to close, or to be ended."""
        try:
            return self._agent.recv(1) == b""
        except ConnectionResetError:
            return True

    def challenge(self, generation, nonce):
        self._agent.sendall(_head(CHALLENGE, 32) + struct.pack("<QQ", generation, nonce))
        kind, frame = self.frame()
        assert kind == STORED and struct.unpack_from("<Q", frame, 16) == (nonce,)

    def answer(self, generation, pages, refusal=SERVED, policy=b"pvschedd"):
        self._agent.sendall(_head(ANSWER, 80) + struct.pack("<II32sIIIIQ", refusal == SERVED, refusal, policy, 1, 1, pages,
                                                           0, generation))

    def tell(self, generation, cpus, **line):
        """The host's line of these CPUs."""
        words = {"host_cpu": 0, "host_flags": 0, "status": 1, "applied_state": 0, "run_delay_ns": 0, "boosted_ns": 0,
                 "boosts": 0, "throttles": 0, "published_ns": 1, **line}
        self._agent.sendall(_head(STATE, 32 + 64 * len(cpus)) + struct.pack("<QII", generation, len(cpus), 0)
                            + b"".join(struct.pack("<IIIIQQQQQQ", cpu, *words.values()) for cpu in cpus))

    def send(self, data):
        self._agent.sendall(data)

    def serve(self, hello, generation=7):
        self.challenge(generation, generation + 1000)
        self.answer(generation, len(hello.cpus))
        self.tell(generation, sorted(hello.cpus))


class Pages:
    """The pages of a running agent: the BPF map that it has mapped, read through /proc."""

    WORDS = {"task_intent": (64, "<Q"), "cs_state": (72, "<Q"), "pulse": (88, "<Q"), "request": (256, "<Q"),
             "expect": (264, "<Q"), "generation_echo": (272, "<Q"), "nonce": (280, "<Q"), "apic_id": (288, "<I"), "cpu_index": (292, "<I"),
             "agent_generation": (296, "<I"), "abi_version": (0, "<I")}

    def __init__(self, pid, count):
        self._pid = pid
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            ranges = [line.split()[0].split("-") for line in maps if "bpf-map" in line]
        self._start = next(int(low, 16) for low, high in ranges if int(high, 16) - int(low, 16) == count * PAGE)
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        os.close(self._memory)

    def get(self, cpu, word):
        offset, kind = self.WORDS[word]
        data = os.pread(self._memory, struct.calcsize(kind), self._start + cpu * PAGE + offset)
        return struct.unpack(kind, data)[0]

    def address(self, cpu):
        """Where the kernel has this page, as /proc tells."""
        with open(f"/proc/{self._pid}/pagemap", "rb") as pagemap:
            pagemap.seek((self._start // PAGE + cpu) * 8)
            word = struct.unpack("<Q", pagemap.read(8))[0]
        assert word >> 63
        return (word & (1 << 55) - 1) * PAGE
