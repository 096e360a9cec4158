# SPDX-License-Identifier: GPL-2.0-or-later
"""libpvsched in a real guest, through a real ivshmem device; the test plays the host."""

import threading

from rig import proc
from rig.region import PAGE, Region

URGENT, ORDINARY = 0x500001, 0x000000  # FIFO 80, normal


def test_guest_without_device(scene):
    guest = scene.linux()
    seen = guest.command("page")
    assert not seen["device"] and seen["state"] == "no-device"
    figures = guest.command("rt 1000 50 5 1 10")
    assert figures["cycles"] == 50 and figures["after"]["state"] == "no-device"


def test_negotiation_and_requests(scene):
    guest = scene.linux(vcpus=2, page=True)
    with Region(guest.pid) as region:
        before = region.bytes()
        seen = guest.command("page")
        assert seen["device"] and seen["state"] == "no-host" and seen["generation"] == 0
        guest.command("rt 1000 50 5 1 10")
        assert region.bytes() == before, "the guest wrote to memory that is no region"

        # The second CPU has the first page.
        region.come(0x1234567812345678, [1, 0])
        seen = guest.command("page 1")
        assert (seen["state"], seen["page"], seen["page_count"], seen["apic_id"]) == ("waiting", 1, 2, 1)
        assert region.get(1, "generation_echo") == 0x1234567812345678
        assert region.policy_name(1) == "pvschedd"
        assert [region.get(1, word) for word in ("abi_version", "policy_version", "protocol_id", "requested_mode",
                                                 "apic_id", "cpu_index")] == [1, 1, 0, 0, 1, 1]
        assert region.bytes()[2 * PAGE:] == before[2 * PAGE:], "a page got a hello without being asked about"
        region.answer(1, run_delay_ns=12345, boosts=3, host_cpu=7, applied_state=1 << 40)
        seen = guest.command("page 1")
        assert (seen["state"], seen["run_delay_ns"], seen["boosts"], seen["host_cpu"], seen["boosted"]) == \
            ("enabled", 12345, 3, 7, True)

        # Requests while it runs, seen from outside.
        region.answer(2)
        words = []
        with_expect = []
        done = threading.Event()

        def watch():
            while not done.is_set():
                word = region.get(2, "request")
                if not words or word != words[-1]:
                    words.append(word)
                    expect = region.get(2, "expect")
                    if word & 0xffffff == ORDINARY and expect >> 32 == word >> 32:
                        with_expect.append(expect & 0xffffffff)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            figures = guest.command("rt 2000 300 20 1 500 0", seconds=60)
        finally:
            done.set()
            watcher.join()
        assert figures["cycles"] == 300 and sum(figures["histogram"].values()) <= 300
        assert figures["before"]["state"] == figures["after"]["state"] == "enabled"
        tuples = {word & 0xffffffff for word in words if word}
        assert tuples == {URGENT, ORDINARY}, tuples
        sequences = [word >> 32 for word in words if word]
        assert sequences == sorted(sequences) and region.get(2, "request") >> 32 == 600, sequences
        assert with_expect and max(with_expect) <= 2000
        assert region.get(2, "request") & 0xffffff == ORDINARY
        assert region.get(1, "request") == 0

        # Without asking, nothing is written.
        last = region.get(2, "request")
        assert guest.command("rt 1000 50 5 0 10")["after"] is None
        assert guest.command("rt 1000 50 5 2 10")["after"]["state"] == "enabled"
        assert region.get(2, "request") == last


def test_host_goes_and_another_comes(scene):
    guest = scene.linux(page=True)
    with Region(guest.pid) as region:
        region.come(1, [0])
        guest.command("page")
        region.answer(1)
        assert guest.command("page")["state"] == "enabled"
        region.go()
        assert guest.command("page")["state"] == "no-host"
        region.come(2, [0])
        assert guest.command("page")["state"] == "waiting"
        assert region.get(1, "generation_echo") == 2

        # In the middle of a loop, too: it says hello by itself.
        region.answer(1)
        running = threading.Thread(target=guest.command, args=("rt 1000 2000000 4 1 10",))
        running.start()
        try:
            proc.wait_for(lambda: region.get(1, "request") >> 32 > 100, 30, "a request")
            region.come(3, [0])
            proc.wait_for(lambda: region.get(1, "generation_echo") == 3, 5, "the hello to the third host")
            region.answer(1)
        finally:
            running.join()
        assert guest.command("page")["state"] == "enabled"
