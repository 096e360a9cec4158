#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run host` and the curves of tests/bench/plot, on rounds that are made up: argv[1] is the
repository."""

import os
import sys
import types

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import curves, host, host_guest, host_io, scale, wake  # noqa: E402
from rig.checks import run_checks  # noqa: E402
from rig.proc import RigError  # noqa: E402


def one(avg_us, load, host_us, boosted=True):
    figure = {"samples": [avg_us * 1000] * 4, "avg_us": avg_us, "p99_us": avg_us, "load_permille": load, "victim_permille": 200.0,
              "foreign_permille": 3.0, "migrations_per_s": 12.5, "host_p99_us": host_us, "budget_us": 450_000,
              "host": {"histogram": {host_us: 10}, "cycles": 10, "avg_us": host_us, "max_us": host_us}}
    return figure | ({"calls_per_1000": 2.0, "boosted_permille": 90.0} if boosted else {})


def rounds(n, scene="crowded-2", load=1400):
    made = {("untouched", scene): [], ("latency", scene): [], ("static", scene): []}
    for number in range(n):
        noise = 1 + number % 3
        made["untouched", scene].append(one(900 * noise, 2000, 50, boosted=False))
        made["latency", scene].append(one(11 * noise, load, 60))
        made["static", scene].append(one(10 * noise, 1500, 80, boosted=False))
    return made


def verdicts(made):
    return {target["target"].split(":")[0] + target["target"].split(":")[1][:13]: target["verdict"]
            for target in host.report(made, None)[0]["targets"] if not target["target"].startswith("for comparison")}


def test_targets_hold_load_and_static():
    assert set(verdicts(rounds(10)).values()) == {"met"} and len(verdicts(rounds(10))) == 3
    assert set(verdicts(rounds(9)).values()) == {"cannot tell"}
    assert verdicts(rounds(10, load=1300))["crowded-2, latency load >= 0.69"] == "missed"
    assert len(verdicts(rounds(10, scene="rogue"))) == 1, "static is what crowded scenes are compared with"


def test_summary_pools_rounds_and_compares_each():
    json, text = host.report(rounds(10), None)
    latency = json["variants"]["latency/crowded-2"]
    assert latency["host_permille_of_untouched"] == 700.0 and latency["host"]["p99_us"] == 60
    assert latency["avg_vs_static"]["ratio"] == 1.1 and latency["sched_calls_per_1000"] == 2.0
    assert json["variants"]["static/crowded-2"]["boosted_permille"] == 200.0
    assert len([line for line in text.splitlines() if line.startswith("| crowded-2 |")]) == 3


def test_hackbench_is_never_worse():
    def guest(seconds):
        return {"seconds": seconds, "boosted_permille": 20.0, "guest_permille": 700.0, "load_permille": 1200.0, "guest_type": "qemu",
                "cpus": 2}

    def of(slower):
        return host.report({("untouched", host.GUEST): [guest(2.0 + n) for n in range(10)],
                            ("latency", host.GUEST): [guest((2.0 + n) * slower) for n in range(10)]}, None)[0]

    assert of(1.02)["targets"][0]["verdict"] == "met" and of(1.1)["targets"][0]["verdict"] == "missed"
    assert of(1.02)["variants"]["latency/hackbench"]["vs_untouched"]["ratio"] == 1.02


def refuses(reader, answer):
    try:
        reader(answer)
    except RigError:
        return True
    return False


def test_parts_add_up():
    part = host_guest.Part()
    for work, behind_us, behind in ((100, 7, {10: 4}), (200, 3, {10: 1, 20: 2})):
        part.add(host_guest.Part(work=work, wall_ns=10**9, used_wall_ns=2 * 10**9, guest_ns=10**9, load_ns=2 * 10**9,
                                 foreign_ns=5 * 10**6, account_wall_ns=4 * 10**9, boosted_ns=10**8, sheds=2, behind_max_us=behind_us, behind=behind))
    assert part.figures() == {"work_per_s": 150.0, "boosted_permille": 25.0, "guest_permille": 500.0, "load_permille": 1000.0,
                              "foreign_permille": 2.5, "helper_sheds_per_s": 0.5, "helper_behind_max_us": 7,
                              "helper_behind": {"10": 5, "20": 2}}


def test_threads_that_come_and_go_are_not_counted_twice():
    def used(guest):
        return host_guest.Used(0, 0, 0, guest, 0)

    assert used({1: 50, 3: 7}).guest_since(used({1: 20, 2: 900})) == 37


def test_reads_of_a_process_are_counted_in_blocks():
    before = host_io.reads(os.getpid())
    with open("/dev/zero", "rb", buffering=0) as file:
        for _ in range(100):
            file.read(4096)
    assert 100 <= host_io.reads(os.getpid()) - before < 110


def guest(throughput, sheds=0, cpu=400.0, behind=None):
    return {"throughput": throughput, "boosted_permille": 30.0, "helper_sheds_per_s": sheds, "helper_behind_max_us": 900 * sheds,
            "guest_permille": cpu, "load_permille": 1500.0, "foreign_permille": 4.0, "guest_type": "kvm", "vcpus": 2, "vhost": True,
            "helper_behind": behind or {}}


def test_disk_and_network_keep_98_percent():
    def of(kept, n=10):
        made = {}
        for number in range(n):
            noise = 1 + number % 3
            made.setdefault(("untouched", "network-in/together"), []).append(guest(500.0 * noise))
            made.setdefault(("latency", "network-in/together"), []).append(guest(500.0 * noise * kept, 1 + number, 200.0))
        return host.report(made, None)

    json, text = of(0.99)
    latency = json["variants"]["latency/network-in/together"]
    assert latency["vs_untouched"]["ratio"] == 0.99 and latency["unit"] == "Mbit/s" and latency["helper_sheds_per_s"] == 5.5
    assert latency["per_cpu_time_vs_untouched"]["ratio"] == 1.98 and latency["vs_fair"] is None
    assert latency["helper_behind_max_us"] == 9000, "the longest of all rounds"
    assert [target["verdict"] for target in json["targets"]] == ["met"] and "by vhost" in text
    assert of(0.97)[0]["targets"][0]["verdict"] == "missed" and of(0.97, n=9)[0]["targets"][0]["verdict"] == "cannot tell"
    assert "| network-in | together | latency | 10 | " in of(0.9)[1] and "| worse |" in of(0.9)[1]


def test_disk_is_held_against_the_more_of_untouched_and_the_fair_share():
    def of(row, latency, behind=None):
        made = {(variant, row): [guest(throughput * (1 + number % 3), behind=behind if variant == "latency" else None)
                                 for number in range(10)]
                for variant, throughput in (("untouched", 400.0), ("one-group", 100.0), ("latency", latency))}
        json, _ = host.report(made, None)
        return {target["target"].split(": ")[1].split(" >=")[0].split(",")[0]: target["verdict"] for target in json["targets"]}, json

    verdicts_of, json = of("disk-1/together", 200.0, {"50": 980, "1000": 20})
    assert verdicts_of == {"throughput": "missed", "one request at a time": "met", "a helper's wait behind its own vCPU": "missed"}
    latency = json["variants"]["latency/disk-1/together"]
    assert latency["vs_more"]["ratio"] == 0.5 and latency["vs_fair"]["ratio"] == 2.0
    assert (latency["helper_behind_p99_us"], latency["helper_behind_waits"]) == (1000, 10_000)
    assert of("disk-1/apart", 401.0, {"50": 990, "1000": 10})[0] == {"throughput": "met", "a helper's wait behind its own vCPU": "met"}
    assert of("disk-8/together", 120.0)[0] == {"throughput": "missed"}
    assert "one-group/disk-1/together" in json["variants"] and len(json["targets"]) == 3, "what boosts nothing has no target"


def test_variants_of_the_devices():
    def options(*names):
        return types.SimpleNamespace(variant=list(names) or None)

    assert host_io.wanted(options()) == ["untouched", "one-group", "slice", "latency", "follow", "static"]
    assert host_io.wanted(options("interactive")) == ["untouched", "one-group", "interactive"]


def test_only_disk_and_network_go_into_the_emulated_host():
    def options(rig, *scenes):
        return types.SimpleNamespace(rig=rig, scene=list(scenes) or None)

    assert refuses(host.scenes, options(True, "network", "four")) and host.scenes(options(True, "disk")) == ["disk"]
    assert host.scenes(options(True)) == host_io.SCENES and host.scenes(options(False)) == host.ALL


def test_rounds_of_the_emulated_host_are_like_those_of_this_one():
    found = {}
    options = types.SimpleNamespace(rounds=2, rounds_file=None, slow=1)
    kept = host.Rounds(options, found)
    kept.add("disk", {("latency", "disk-1"): {"throughput": 3.0}})
    kept.add_line({"of": "disk", "cells": [["latency", "disk-1", {"throughput": 4.0}]]}, "emulated host (tcg)")
    assert found == {("latency", "disk-1"): [{"throughput": 3.0}, {"throughput": 4.0, "machine": "emulated host (tcg)"}]}


def test_every_scene_fits_what_bench_host_takes():
    for per_cpu, per_domain, run_us, period_us, sleep_us in host.SCENES.values():
        assert per_cpu > 0 and per_domain > 0 and run_us > 0 and (period_us > 0) != (sleep_us > 0)


def test_curves_are_ordered_by_demand():
    figures = {wake.key(variant, duty): {"avg_us": 10.0 * int(duty), "p99_us": 0.0} for variant in ("untouched", "latency")
               for duty in ("90", "5", "10")}
    script = curves.demand(figures, "/nowhere.svg")
    points = script.split("$d0 << EOD\n")[1].split("\nEOD")[0].splitlines()
    assert points == ["5 50", "10 100", "90 900"]
    assert "title 'latency'" in script and "title 'static'" not in script
    assert "\n5 0.1\n" in script, "a logarithm has no 0"


def test_a_curve_for_each_state_of_scale():
    states = {state: {"cpu_permille": 1.0} for state in scale.STATES}
    script = curves.cpu_use({"64": {"vcpus": 256, "states": states}, "16 QEMU": {"vcpus": 64, "states": {}}}, "/nowhere.svg")
    assert all(f"title '{state}'" in script for state in scale.STATES)
    assert "256 1\n" in script and "64 1\n" not in script


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
