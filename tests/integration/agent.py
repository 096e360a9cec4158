# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's agent as the host sees it: frames of pvsched/channel.h over the socket of plays_vsock.c."""

import itertools
import socket
import struct

from hanging import Hanging

MAGIC, VERSION = 0x43505650, 1
HELLO, CHALLENGE, STORED, ANSWER, STATE = range(1, 6)
SERVED, NO_DOMAIN, AMBIGUOUS, NOT_ALLOWED, NOT_FOUND, ENCRYPTED, HOST_CANNOT, TOO_OFTEN, NO_POLICY = range(9)

_numbers = itertools.count()


class Closed(Exception):
    """The host has closed the connection."""


def frame(kind, body):
    return struct.pack("<IHHII", MAGIC, VERSION, kind, 16 + len(body), 0) + body


def hello(cpus=((0, 0, 0x100000),), policies=(("pvschedd", 1),), generation=7, abi=1, version=b"0.1.0", kernel=b"6.1.0-test"):
    body = struct.pack("<IIIIQ32s64sQQ", abi, generation, len(policies), len(cpus), 9, version, kernel, 0, 0)
    body += b"".join(struct.pack("<32sII", name.encode(), number, 0) for name, number in policies)
    return frame(HELLO, body + b"".join(struct.pack("<IIQ", *cpu) for cpu in cpus))


def stored(nonce):
    return frame(STORED, struct.pack("<Q", nonce))


class Guest(Hanging):
    """A process that plays QEMU, with vsock devices on its command line, which do nothing."""

    def __init__(self, name, binary, cids, **kwargs):
        super().__init__(name, binary, "no", **kwargs)
        for cid in cids:
            self._argv += ["-device", f"vhost-vsock-pci,guest-cid={cid}"]


class Agent:
    def __init__(self, path, cid, port=700, seconds=20):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds)
        self._socket.bind(f"\0vsock {cid} {port} of agent {next(_numbers)}")
        self._socket.connect(path)

    def close(self):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def _read(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self._socket.recv(size - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            data += more
        return data

    def receive(self):
        """(type, body) of the next frame."""
        magic, version, kind, size, reserved = struct.unpack("<IHHII", self._read(16))
        assert (magic, version, reserved) == (MAGIC, VERSION, 0)
        return kind, self._read(size - 16)

    def is_closed(self):
        """True once the host has closed it; what else it sent is dropped."""
        try:
            while True:
                self.receive()
        except Closed:
            return True

    def challenge(self):
        """(generation, nonce)"""
        kind, body = self.receive()
        assert kind == CHALLENGE, (kind, body)
        return struct.unpack("<QQ", body)

    def answer(self):
        """{status, refusal, policy, pages, generation}"""
        kind, body = self.receive()
        assert kind == ANSWER, (kind, body)
        status, refusal, name, version, abi, pages, _, generation = struct.unpack("<II32sIIIIQ", body)
        return {"status": status, "refusal": refusal, "policy": (name.rstrip(b"\0").decode(), version), "abi": abi,
                "pages": pages, "generation": generation}
