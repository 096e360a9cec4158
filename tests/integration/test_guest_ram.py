# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages in a guest's RAM: found where QEMU itself says that they are, on each machine and memory, and never written."""

import json
import os
import random
import re
import socket
import subprocess
import sys

import pytest

import prover as agent
from prover import ENCRYPTED, NOT_FOUND, SERVED, Prover
from rig import proc
from rig.libvirtd import virsh

MIB, GIB = 1 << 20, 1 << 30
URGENT, ORDINARY = 1 | 50 << 16, 0


@pytest.fixture
def prover(build_dir):
    with Prover(build_dir) as one:
        yield one


class Monitor:
    """QMP of a bare QEMU, which says where addresses of its guest are."""

    def __init__(self, qemu):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(qemu.qmp)
        self._file = self._socket.makefile("rw")
        self._file.readline()
        self.run("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def run(self, command, **arguments):
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            answer = json.loads(self._file.readline())
            if "error" in answer:
                raise proc.RigError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def address(self, guest_address):
        """In QEMU; None: no RAM is there."""
        answer = self.run("human-monitor-command", **{"command-line": f"gpa2hva {guest_address:#x}"})
        found = re.search(r"\((.*)\) is (0x[0-9a-f]+)", answer)
        return int(found[2], 16) if found and not found[1].endswith(("bios", "rom")) else None


def ram(id, size, kind="ram", **more):
    options = "".join(f",{key}={value}" for key, value in more.items())
    return ["-object", f"memory-backend-{kind},id={id},size={size}{options}"]


NUMA = [*ram("a", "1G"), *ram("b", "512M", "memfd", share="on"), *ram("c", "1536M"),
        "-numa", "node,memdev=a", "-numa", "node,memdev=b", "-numa", "node,memdev=c"]
DIMMS = [*ram("m0", "256M"), *ram("m1", "1G", "memfd"), "-device", "pc-dimm,memdev=m0,id=d0", "-device", "pc-dimm,memdev=m1,id=d1"]
HOTPLUG = [*ram("h0", "128M"), *ram("h1", "512M")]

CASES = {  # machine, arguments, objects that are plugged in as DIMMs then
    "i440fx-small": ("pc", ["-m", "192"], []),
    "i440fx": ("pc", ["-m", "5G"], []),
    "i440fx-below-3.5G": ("pc", ["-m", "3328M"], []),
    "i440fx-old": ("pc-i440fx-2.0", ["-m", "3840M"], []),
    "i440fx-told": ("pc,max-ram-below-4g=1G", ["-m", "3G"], []),
    "q35": ("q35", ["-m", "5G"], []),
    "q35-below-2.75G": ("q35", ["-m", "2600M"], []),
    "q35-told": ("q35,max-ram-below-4g=1G", ["-m", "4G"], []),
    "memfd": ("q35,memory-backend=x", ["-m", "3G", *ram("x", "3G", "memfd", share="on")], []),
    "numa": ("pc", ["-m", "3G", *NUMA], []),
    "numa-q35": ("q35", ["-m", "3G", *NUMA], []),
    "dimms": ("pc", ["-m", "1G,slots=4,maxmem=8G", *DIMMS], []),
    "dimms-q35": ("q35", ["-m", "4G,slots=4,maxmem=16G", *DIMMS], []),
    "plugged-in": ("pc", ["-m", "3584M,slots=4,maxmem=16G", *HOTPLUG], ["h1", "h0"]),
}


def places():
    """Guest-physical addresses that are looked at: at the edges of all that is cut, and some between."""
    edges = [part * GIB // 4 for part in range(1, 33)]
    found = {MIB} | {edge + offset for edge in edges for offset in (-4096, 0, 4096)}
    chance = random.Random(3)
    return sorted(found.union(chance.randrange(MIB // 4096, end // 4096) * 4096 for end in (192 * MIB, 8 * GIB) for _ in range(50)))


@pytest.mark.parametrize("case", CASES)
def test_where_qemu_says(scene, prover, case):
    machine, arguments, dimms = CASES[case]
    qemu = scene.bare("pvsched-ram", machine=machine, more=["-S", *arguments])
    with Monitor(qemu) as monitor:
        for memory in dimms:
            monitor.run("device_add", driver="pc-dimm", memdev=memory, id=f"d-{memory}")
        where = {place: monitor.address(place) for place in places()}
    pages = [(index, 2 * index, place) for index, place in enumerate(where)]
    present = [page for page in pages if where[page[2]]]
    assert len(present) > 5
    for cpu, apic, place in present:
        agent.write(qemu.pid, where[place], agent.page_of(cpu, apic))
    found = prover.prove(qemu.pid, pages)
    assert found["result"] == SERVED
    assert found["addresses"] == [where[place] or 0 for _, _, place in pages]
    # written by another: of an older agent, or for another host
    assert prover.prove(qemu.pid, pages, nonce=agent.NONCE + 1)["result"] == NOT_FOUND
    assert prover.prove(qemu.pid, pages, generation=agent.GENERATION + 1)["result"] == NOT_FOUND
    for cpu, apic, place in present:
        assert agent.read(qemu.pid, where[place], 320) == agent.page_of(cpu, apic)


def test_huge_pages(scene, prover):
    path = "/proc/sys/vm/nr_hugepages"
    if not os.path.exists(path) or proc.read(path).strip() != "0":
        pytest.skip("no huge pages, or some that are another's")
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write("64")
        if int(proc.read(path)) < 64:
            pytest.skip("the kernel has no 64 huge pages")
        qemu = scene.bare("pvsched-huge", machine="q35,memory-backend=x", more=[
            "-S", "-m", "128M", *ram("x", "128M", "memfd", share="on", hugetlb="on", hugetlbsize="2M")])
        with Monitor(qemu) as monitor:
            address = monitor.address(64 * MIB)
        agent.write(qemu.pid, address, agent.page_of(0, 0))
        assert prover.prove(qemu.pid, [(0, 0, 64 * MIB)])["addresses"] == [address]
        scene.forget_domain(qemu)
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write("0")


@pytest.mark.parametrize("options", [["-object", "sev-snp-guest,id=x"], ["-machine", "q35,confidential-guest-support=x"],
                                     ["-object", '{"qom-type":"tdx-guest","id":"x"}']])
def test_encrypted(prover, options):
    """What it was started with is enough to refuse: nothing is read. A process that sleeps has such arguments here."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-m", "64", *options])
    try:
        proc.wait_for(lambda: options[1] in proc.read(f"/proc/{process.pid}/cmdline"), 10, "its arguments")
        assert prover.prove(process.pid, [(0, 0, MIB)])["result"] == ENCRYPTED
    finally:
        process.kill()
        process.wait()


def claims(guest, n=1):
    return [(page["cpu"], page["apic_id"], page["address"]) for page in guest.command(f"ram new {n}")["pages"]]


def store(guest, generation=agent.GENERATION, nonce=agent.NONCE):
    guest.command(f"ram store {generation} {nonce} {agent.AGENT}")


def wait_heard(prover, accept, what):
    last = {}

    def look():
        last.update(prover.heard())
        return accept(last)

    try:
        return proc.wait_for(look, 30, what)
    except proc.RigError as error:
        raise proc.RigError(f"{error}; heard {last}") from None


@pytest.mark.parametrize("kind", ["pc", "q35"])
def test_a_guest_that_speaks(scene, prover, kind):
    """A Linux guest chooses its pages; the tracer hears what it writes, and not a byte of its memory changes."""
    guest = scene.linux(vcpus=2, machine=kind, on_reboot="restart")
    assert guest.command("ram fill 64")["ok"]
    pages = claims(guest, 2)
    assert [cpu for cpu, _, _ in pages] == [0, 1] and len({address for _, _, address in pages}) == 2
    assert prover.prove(guest.pid, pages)["result"] == NOT_FOUND
    store(guest)
    found = prover.prove(guest.pid, pages)
    assert found["result"] == SERVED and all(found["addresses"])
    if prover.trace(guest.vcpu_tids()[0], 0)["result"] < 0:
        pytest.skip("no tracer can be loaded here")
    for intent, cs_state, urgency in ((URGENT, 0, 2), (ORDINARY, 0, 1), (ORDINARY, 2, 2)):
        guest.command(f"ram say 0 {intent} {cs_state}")
        wait_heard(prover, lambda heard, want=(urgency, intent, cs_state):
                   (heard["urgency"], heard["task_intent"], heard["cs_state"]) == want, f"urgency {urgency} of the guest")
        assert prover.words(0) == {"result": 0, "task_intent": intent, "cs_state": cs_state}
    # single words that another wrote over, in any order
    chance = random.Random(20)
    for _ in range(5):
        store(guest, *chance.choice([(agent.GENERATION, 1), (1, agent.NONCE), (1, 1)]))
        assert prover.prove(guest.pid, pages)["result"] == NOT_FOUND
        assert prover.words(0)["result"] < 0
    store(guest)
    for address in (chance.randrange(1 << 46) * 4096 for _ in range(20)):
        assert prover.prove(guest.pid, [(0, 0, address)])["result"] == NOT_FOUND
    assert prover.prove(guest.pid, pages)["result"] == SERVED
    assert guest.command("ram check")["changed"] == 0


def test_a_guest_that_is_reset(scene, prover):
    """What was proven before says nothing afterwards."""
    guest = scene.linux(on_reboot="restart")
    pages = claims(guest)
    store(guest)
    assert prover.prove(guest.pid, pages)["result"] == SERVED
    if prover.trace(guest.vcpu_tids()[0], 0)["result"] < 0:
        pytest.skip("no tracer can be loaded here")
    guest.command(f"ram say 0 {URGENT} 0")
    wait_heard(prover, lambda heard: heard["urgency"] == 2, "the guest")
    virsh("reset", guest.name)
    # Its RAM is as it was until another uses it; its CPUs are, too: the generation is the host's to renew, and a page
    # that nothing renews lapses.
    wait_heard(prover, lambda heard: heard["urgency"] == 0, "the words to lapse")
    guest.connect()
    guest.wait_ready()
    pages = claims(guest)
    assert prover.prove(guest.pid, pages, nonce=agent.NONCE + 1)["result"] == NOT_FOUND
    store(guest, nonce=agent.NONCE + 1)
    assert prover.prove(guest.pid, pages, nonce=agent.NONCE + 1)["result"] == SERVED
    assert guest.command("ram check")["changed"] == 0
