#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run contention`, on rounds that are made up: argv[1] is the repository."""

import contextlib
import os
import sys
import threading
import time
import types
from unittest import mock

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import contention, contention_guests as guests  # noqa: E402
from rig.checks import run_checks  # noqa: E402
from rig.proc import RigError  # noqa: E402


def options(**more):
    return types.SimpleNamespace(**{"vms": None, "guest_vcpus": None, "guest_load": None, "quick": False} | more)


def latency(us):
    return {"avg_us": us, "p50_us": us, "p99_us": 10 * us, "p999_us": 20 * us, "max_us": 30 * us, "cycles": 1000}


def cell(load, rate, us=100, neighbour=500.0, seen=30):
    one = {"rate": rate, "rates": [rate / 2, rate / 2], "guest_permille": [900.0, 900.0], "boosted_permille": 1.5}
    if load in guests.LATENCIES:
        one |= {"latency": latency(us), "latencies": [latency(us), latency(us)]}
    if load == guests.NEIGHBOUR:
        one["neighbour_permille"] = neighbour
    if load == guests.MEMBARRIER:
        one |= {"ipis": 40, "ipis_seen": seen}
    return one


def rounds(n, vms=2, vcpus=2, gain=1.2, faster=0.05, variants=("untouched", "untouched-again", "throughput"), seen=30,
           neighbour=480.0, loads=guests.LOADS[:5]):
    made = []
    for number in range(n):
        noise, cells = 1 + number % 3, {}
        for load in loads:
            for variant in variants:
                helped = not variant.startswith("untouched")
                cells[f"{load} {variant}"] = cell(load, 10.0 * noise * (gain if helped else 1), 2000 * noise * (faster if helped else 1),
                                                  neighbour if helped else 500.0, seen)
        made.append({"vms": vms, "vcpus": vcpus, "kernel": "6.1.0", "cpus": 2, "fair_class": {"status": "ok", "detail": "keeps order"},
                     "slow": 5, "seconds": 4, "skipped": {"slice": "needs Linux 6.12"}, "guest_type": "kvm", "guest_kernel": "6.1.0",
                     "cells": cells})
    return {"rounds": made}


def verdicts(found):
    return {target["target"]: target["verdict"] for target in found[0]["targets"]}


def test_what_is_measured():
    assert contention.setups(options(quick=True)) == [(2, 2, list(guests.LOADS))]
    found = contention.setups(options())
    assert [(vms, vcpus) for vms, vcpus, _ in found] == [(2, 2), (2, 4), (3, 2), (4, 2)]
    assert found[1][2] == [guests.WAKERS] and guests.WAKERS not in found[2][2]
    assert contention.setups(options(vms=[3], guest_load=["dbench"], guest_vcpus=[4])) == [(3, 4, ["dbench"])]
    assert not contention.setups(options(vms=[3], guest_load=["wakers"]))


def test_targets_are_those_of_the_number_of_guests():
    found = verdicts(contention.report(rounds(10), None))
    assert found["2 x 2: dbench, throughput: work >= 1.1 of untouched"] == "met"
    assert found["2 x 2: membarrier, throughput: p99 <= 0.1 of untouched"] == "met"
    assert found["2 x 2: neighbour, throughput: host's load >= 0.95 of untouched"] == "met"
    less = verdicts(contention.report(rounds(10, vms=3, gain=1.05, faster=0.2, neighbour=400.0), None))
    assert less["3 x 2: dbench, throughput: work >= 1.06 of untouched"] == "missed"
    assert less["3 x 2: dbench, throughput: work >= 0.98 of untouched"] == "met"
    assert less["3 x 2: membarrier, throughput: p99 <= 0.1 of untouched"] == "missed"
    assert less["3 x 2: membarrier, throughput: average <= 0.33 of untouched"] == "met"
    assert less["3 x 2: neighbour, throughput: host's load >= 0.95 of untouched"] == "missed"
    assert set(verdicts(contention.report(rounds(9), None)).values()) == {"cannot tell"}


def test_one_number_for_each_question():
    json, text = contention.report(rounds(10), None)
    assert json["vms"]["2"] == json["vms"]["2"] | {
        "of": "throughput", "membarrier_p99_vs_untouched": 0.05, "membarrier_avg_vs_untouched": 0.05, "dbench": 1.2, "hackbench": 1.2,
        "pipeline": 1.2, "neighbour": 0.96, "ipis_seen": 0.75}
    assert "left out: slice: needs Linux 6.12" in text and "fair class ok: keeps order" in text
    assert text.index("untouched again / untouched") < text.index("| guests x vCPUs |"), "what cannot be told apart comes first"
    blind = contention.report(rounds(10, seen=None, variants=("untouched", "latency")), None)[0]["vms"]["2"]
    assert blind["of"] == "latency" and blind["ipis_seen"] is None


def test_guests_that_step_aside():
    made = rounds(10, vcpus=4, faster=0.05, loads=[guests.WAKERS], variants=("untouched", "avoid", "avoid-one"))
    json, _ = contention.report(made, None)
    found = verdicts((json,))
    assert found["2 x 4: wakers, avoid: p99.9 <= 0.125 of untouched"] == "met"
    assert found["2 x 4: wakers, avoid-one: requests of the others >= untouched"] == "met"
    assert json["wakers"]["4:1"]["avoid-one"]["others_vs_untouched"]["ratio"] == 1.2


def test_rounds_that_cannot_be_compared():
    made = rounds(2)
    made["rounds"][1]["kernel"] = "6.12.0"
    try:
        contention.report(made, None)
    except RigError as error:
        assert "kernel" in str(error)
        return
    raise AssertionError("two kernels were summed up")


def test_a_round_counts_only_beside_its_untouched_one():
    made = rounds(2)
    del made["rounds"][0]["cells"]["dbench untouched"]
    figures = contention.report(made, None)[0]["vms"]["2"]["figures"]
    assert figures["dbench throughput"]["rounds"] == 1 and figures["pipeline throughput"]["rounds"] == 2


def test_commands():
    assert guests.command("dbench", 3, 5, 1) == "dbench 3 5"
    assert guests.command("neighbour", 3, 5, 1) == "pipeline 5" and guests.command("membarrier", 3, 5, 1) == "membarrier 5"
    assert guests.command("wakers", 3, 5, 2).endswith(" 3 600 1200 5")
    assert guests.rate("hackbench", {"runs": 3, "us": 1_500_000}) == 2.0


def test_window():
    now = [0]

    def sample():
        now[0] += 5
        return now[0], 10 * now[0]

    window = guests.Window(2, lambda: None, lambda: None, sample)
    for text in ("start", "start", "end", "end"):
        window.mark(text)
    assert window.since() == [5, 50]
    late = guests.Window(2, lambda: None, lambda: None, sample)
    for text in ("start", "end", "start", "end"):
        late.mark(text)
    try:
        late.since()
    except RigError:
        return
    raise AssertionError("a guest that was alone counts")


class FakeGuest:
    """Says what a guest with no agent says."""

    type = "kvm"

    def __init__(self, name, begun):
        self.name, self.asked, self.ipis, self._begun = name, [], 0, begun

    def vcpu_tids(self):
        return {0: 10, 1: 11}

    def command(self, text, seconds=60, on_mark=None):
        self.asked.append(text)
        word = text.split()[0]
        if word == "agent":
            raise RigError("no such file")
        if on_mark:
            on_mark("start")
            self._begun.wait()
            on_mark("end")
        if word == "interrupts":
            self.ipis += 50
        histogram = {"cycles": 2, "avg_us": 30, "max_us": 50, "histogram": {"10": 1, "50": 1}}
        return {"uname": {"release": "6.1.0-guest"}, "interrupts": {"ipis": self.ipis}, "dbench": {"mb_per_s": 5.0},
                "hackbench": {"runs": 4, "us": 2_000_000}, "pipeline": {"blocks": 9, "us": 3_000_000}, "membarrier": histogram,
                "wakers": histogram | {"requests": 6, "us": 1_000_000}}.get(word, {})


class FakeDaemon:
    def __init__(self):
        self.said = []

    def ctl(self, *words):
        self.said.append(words)
        if "throughput" in words:
            raise RigError('there is no profile "throughput"')

    def ctl_json(self, *words):
        self.said.append(words)
        if words[0] == "status":
            return {"levers": {"slice": {"available": True, "detail": ""}}}
        return {"domain": {"vcpus": [{"boosted_ns": 1000, "ipis_seen_total": len(self.said)}, {"boosted_ns": 0, "ipis_seen_total": 0}]}}


class FakeLoad:
    def __init__(self):
        self.calls = []

    def resume(self):
        self.calls.append("resume")

    def pause(self):
        self.calls.append("pause")

    def used_ns(self):
        return time.monotonic_ns()


@contextlib.contextmanager
def fakes(made, profiles):
    """In place of libvirtd, QEMU and the daemon."""
    @contextlib.contextmanager
    def several(_options, config, names, **_more):
        assert config["default_profile"] == "observe" and guests.SLICE in config["profiles"] and "latency" in config["profiles"]
        begun = threading.Barrier(len(names), timeout=20)
        made["guests"], made["daemon"], made["load"] = [FakeGuest(name, begun) for name in names], FakeDaemon(), FakeLoad()
        yield made["daemon"], made["guests"], made["load"]

    @contextlib.contextmanager
    def profile(name, guest, _daemon):
        profiles.append((guest.name[-1], name))
        yield

    with mock.patch.object(guests.real_guest, "several", several), mock.patch.object(guests.variants, "profile", profile), \
            mock.patch.object(guests.proc, "run_ns", lambda tid: tid), mock.patch.object(guests.time, "sleep", lambda _: None), \
            mock.patch.object(contention.kernel, "fair_class", lambda build: ("ok", "keeps order")):
        yield


def test_a_round_of_all_loads():
    made, profiles, found = {}, [], {}
    wanted = options(quick=True, rounds=2, rounds_file=None, rig=None, seconds=None, slow=1, build="b", guest_image="image", force=True)
    with fakes(made, profiles):
        contention.measure(None, wanted, found)
    assert len(found["rounds"]) == 2
    one = found["rounds"][0]
    assert set(one["skipped"]) == {"throughput", "avoid", "avoid-one"} and "no profile" in one["skipped"]["throughput"]
    assert set(one["cells"]) == {f"{load} {variant}" for load in guests.LOADS
                                 for variant in ("untouched", "untouched-again", "slice", "latency")}
    assert one["cells"]["dbench latency"]["rate"] == 10.0 and one["cells"]["hackbench slice"]["rate"] == 4.0
    barrier = one["cells"]["membarrier latency"]
    assert barrier["latency"]["cycles"] == 4 and barrier["latency"]["avg_us"] == 30 and barrier["ipis"] == 100
    assert barrier["ipis_seen"] > 0
    assert one["cells"]["neighbour latency"]["neighbour_permille"] > 0
    assert {name for _, name in profiles} == {"off", "slice", "latency"}
    assert "pipeline 4" in made["guests"][1].asked and "resume" in made["load"].calls
    json, text = contention.report(found, wanted)
    assert json["vms"]["2"]["dbench"] == 1.0 and json["wakers"]["2:1"]["latency"]["rounds"] == 2 and "2 x 2 vCPUs, 2 rounds" in text


def test_only_the_first_guest_is_told():
    made, profiles = {}, []
    with fakes(made, profiles), guests.Guests(options(slow=1), 2, 2, "image") as both:
        profiles.clear()
        both.measure(guests.AVOID_ONE, guests.WAKERS, 3)
        assert profiles == [("0", "avoid"), ("1", "off")]
        assert sum(text.startswith("wakers") for text in made["guests"][0].asked) == 2, "once while the guest moves"


sys.exit(run_checks(globals()))
