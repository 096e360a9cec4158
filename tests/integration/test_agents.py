# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to agents in guests, with scripted agents: who may connect, and what each is answered."""

import json
import shutil
import socket

import pytest

from agent import (AMBIGUOUS, NO_DOMAIN, NO_POLICY, NOT_ALLOWED, SERVED, TOO_OFTEN, Agent, Guest, hello, stored)
from rig import proc

CID = 77


@pytest.fixture
def channel(scene, tmp_path):
    return Channel(scene, tmp_path)


class Channel:
    def __init__(self, scene, directory):
        self._scene = scene
        self.path = f"{directory}/vsock"
        self._binary = f"{directory}/qemu-guest"
        self._agents = []
        shutil.copy(f"{scene.build_dir}/tests/integration/hanging", self._binary)

    def guest(self, *cids, name="pvsched-agent"):
        return self._scene.bare(name=name, make=Guest, binary=self._binary, cids=cids)

    def daemon(self, profiles=None, **host):
        return self._scene.daemon(
            profile="observe", env={"LD_PRELOAD": f"{self._scene.build_dir}/tests/integration/plays-vsock.so",
                                    "PLAYS_VSOCK": self.path},
            config={"profiles": profiles or {},
                    "host": {"agents": "listen", "discovery": ["procfs"], "qemu_executables": [self._binary], **host}})

    def agent(self, cid=CID, **kwargs):
        return Agent(self.path, cid, **kwargs)

    def heard(self, cid=CID, **kwargs):
        agent = self.agent(cid)
        agent.send(hello(**kwargs))
        return agent


def shown(daemon, guest):
    return daemon.ctl_json("show", guest.uuid)["domain"]["agent"]


def counters(daemon):
    return daemon.status()["agents"]


def test_challenged(channel):
    """Its domain is known by its CID; two hellos get two challenges; what it says of itself is shown."""
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    assert shown(daemon, guest)["state"] == "awaited" and shown(daemon, guest)["cids"] == [CID]
    agent = channel.heard()
    first = agent.challenge()
    agent.send(hello(kernel=b"6.1.0-other"))
    second = agent.challenge()
    assert all(first + second) and len(set(first + second)) == 4
    said = shown(daemon, guest)
    assert (said["state"], said["version"], said["kernel"], said["cpus"]) == ("challenged", "0.1.0", "6.1.0-other", 1)
    assert said["unavailable"] == ["nmi", "preempt"] and said["hellos_total"] == 2
    assert "Agent:   challenged, version 0.1.0 on Linux 6.1.0-other" in daemon.ctl("show", guest.uuid)
    agent.send(stored(first[1]))   # of the past
    agent.send(stored(second[1]))
    answer = agent.answer()        # these are no addresses of this process
    assert answer["refusal"] not in (SERVED, NO_DOMAIN, NOT_ALLOWED), answer
    assert answer["policy"] == ("pvschedd", 1) and answer["pages"] == 0 and answer["generation"] == 0
    agent.close()
    proc.wait_for(lambda: shown(daemon, guest)["state"] == "awaited", 10, "the end of the connection to be noticed")
    assert counters(daemon)["connected"] == 0


def test_who_may_connect(channel):
    """CIDs of the host, and ports that any user of a guest has, are closed and counted."""
    daemon = channel.daemon()
    for cid, port in ((0, 700), (1, 700), (2, 700), (0xffffffff, 700), (CID, 1024), (CID, 0xffffffff)):
        assert channel.agent(cid, port=port).is_closed()
    assert counters(daemon)["refused_peers_total"] == 6 and counters(daemon)["connections_total"] == 0
    assert counters(daemon)["listening"]


def test_known_later(channel):
    """An agent of no domain is told so, and challenged when the domain is found."""
    daemon = channel.daemon()
    agent = channel.heard()
    assert agent.answer()["refusal"] == NO_DOMAIN
    assert counters(daemon)["unknown"] == 1
    guest = channel.guest(CID)
    daemon.wait_known(guest)
    agent.challenge()


def test_claimed_twice(channel):
    """A CID that two domains claim belongs to neither, until one of them is gone."""
    first, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(first)
    agent = channel.heard()
    agent.challenge()
    second = channel.guest(CID, name="pvsched-agent-2")
    daemon.wait_known(second)
    assert agent.answer()["refusal"] == AMBIGUOUS
    assert shown(daemon, first)["state"] == "awaited"
    second.destroy()
    agent.challenge()


def test_gone(channel):
    """What was agreed ends with the QEMU."""
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    agent = channel.heard()
    agent.challenge()
    guest.destroy()
    assert agent.answer()["refusal"] == NO_DOMAIN


def test_not_allowed(channel):
    """The profile and the host's settings decide; a reload is heard at once."""
    guest, daemon = channel.guest(CID), channel.daemon(profiles={"observe": {"guest_requests": "ignore"}})
    daemon.wait_known(guest)
    agent = channel.heard()
    assert agent.answer()["refusal"] == NOT_ALLOWED
    said = shown(daemon, guest)
    assert (said["state"], said["refusal"], said["refusals_total"]) == ("refused", "not-allowed", {"not-allowed": 1})
    daemon.ctl("policy", "set", guest.uuid, "latency")
    agent.challenge()
    daemon.ctl("policy", "set", guest.uuid, "off")
    assert agent.answer()["refusal"] == NOT_ALLOWED


def test_no_policy(channel):
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    agent = channel.heard(policies=[("other", 1)])
    answer = agent.answer()
    assert (answer["refusal"], answer["status"], answer["policy"]) == (NO_POLICY, 2, ("pvschedd", 1))
    agent.send(hello(policies=[("pvschedd", 9)]))
    assert agent.answer()["status"] == 4
    agent.send(hello(abi=2))
    answer = agent.answer()
    assert (answer["status"], answer["abi"]) == (3, 1)
    checks = json.loads(daemon.ctl("doctor", "--json", check=False))["checks"]
    assert any("no version or policy in common" in check["detail"] for check in checks), checks


def test_garbage(channel):
    """What breaks a rule ends the connection, is counted, and others are served."""
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    good = channel.heard()
    good.challenge()
    whole = hello()
    broken = [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096, stored(5), whole[:8] + b"\xff\xff\xff\xff" + whole[12:],
              whole[:20] + b"\0\0\0\0" + whole[24:], hello(cpus=((0, 0, 0x100001),)),
              hello(cpus=((0, 0, 0x1000), (1, 0, 0x2000))), hello(kernel=b"\x1b[2J")]
    for number, data in enumerate(broken):
        agent = channel.agent(1000 + number)
        agent.send(data)
        assert agent.is_closed()
    assert counters(daemon)["bad_frames_total"] == len(broken)
    assert counters(daemon)["connected"] == 1
    assert "\x1b" not in daemon.log()


def test_storm(channel):
    """A guest that says hello as fast as it can costs the daemon little, and others are answered."""
    guest, other, daemon = channel.guest(CID), channel.guest(CID + 1, name="pvsched-agent-2"), channel.daemon()
    daemon.wait_known(guest)
    daemon.wait_known(other)
    storm = channel.agent()
    storm._socket.setblocking(False)
    whole, sent, answers = hello(cpus=tuple((i, i, 4096 * (i + 1)) for i in range(512))), 0, []
    for _ in range(100000):
        try:
            sent += storm._socket.send(whole[sent % len(whole):])
        except BlockingIOError:
            break   # it is not read from any more
    assert sent > len(whole)
    storm._socket.setblocking(True)
    storm._socket.settimeout(20)
    channel.heard(CID + 1).challenge()
    while TOO_OFTEN not in answers:
        kind, body = storm.receive()
        answers.append(int.from_bytes(body[4:8], "little") if kind == 4 else None)
    assert shown(daemon, guest)["refusals_total"]["too-often"] >= 1
    assert counters(daemon)["hellos_total"] <= 30
    # the last one of those that the host took is heard, without another word of the guest's
    while storm.receive()[0] != 2:
        pass


def test_connects(channel):
    """Connections without end: each replaces the last, the rest is turned away, and another guest is served."""
    other, daemon = channel.guest(CID + 1, name="pvsched-agent-2"), channel.daemon()
    daemon.wait_known(other)
    for _ in range(300):
        try:
            channel.agent(seconds=1).close()
        except (BlockingIOError, socket.timeout):
            break   # the queue of the socket is full
    proc.wait_for(lambda: counters(daemon)["refused_rate_total"] >= 100 and counters(daemon)["connected"] == 0, 20,
                  "connections to be turned away")
    channel.heard(CID + 1).challenge()


def test_off(channel):
    """Switched off, each agent learns it; without a socket nothing listens, and the daemon says so."""
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    agent = channel.heard()
    agent.challenge()
    daemon.rewrite({"host": {"agents": "off", "discovery": ["procfs"], "qemu_executables": [guest._argv[2]]}})
    daemon.ctl("reload")
    assert agent.answer()["refusal"] == NOT_ALLOWED


def test_no_socket(channel):
    daemon = channel.daemon(agents="auto")
    assert not counters(daemon)["listening"]
    checks = json.loads(daemon.ctl("doctor", "--json", check=False))["checks"]
    assert [check["status"] for check in checks if check["name"] == "agents"] == ["ok"]


def test_restart(channel):
    """The next daemon knows nothing: the agent connects again and is challenged with other numbers."""
    guest, daemon = channel.guest(CID), channel.daemon()
    daemon.wait_known(guest)
    agent = channel.heard()
    before = agent.challenge()
    daemon.kill_both()
    assert agent.is_closed()
    daemon.start()
    daemon.wait_known(guest)
    assert not set(channel.heard().challenge()) & set(before)
