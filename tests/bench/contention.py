# SPDX-License-Identifier: GPL-2.0-or-later
"""contention: two, three, four guests whose tasks wait for each other, on CPUs that are too few for all their vCPUs."""

import contextlib
import os
import random
import statistics
import sys

from rig.guest import guest_image
from rig.proc import RigError

from . import contention_guests as guests
from . import figures, host_rig, inside, kernel
from .contention_guests import AGAIN, AVOID, AVOID_ONE, LOADS, MEMBARRIER, NEIGHBOUR, THROUGHPUT, UNTOUCHED, VARIANTS, WAKERS
from .kept import Kept

QUICK_ROUNDS = 2
VMS, VCPUS = (2, 3, 4), 2
# Wake-ups are measured with two guests: as many vCPUs as that to each of two CPUs, or twice as many.
WAKERS_VMS, WAKERS_VCPUS = 2, (2, 4)
RIG_SLOW = 5
# What more work is done at least, by the number of guests.
GAIN = {2: 1.10, 3: 1.06, 4: 1.03}
KEPT, NEIGHBOUR_KEPT = 0.98, 0.95
WORK = (guests.DBENCH, guests.HACKBENCH, guests.PIPELINE)


def arguments(parser):
    parser.add_argument("--vms", type=int, action="append", choices=VMS, help="contention: so many guests only; may be repeated")
    parser.add_argument("--guest-vcpus", type=int, action="append", metavar="N",
                        help=f"contention: vCPUs of each guest; may be repeated; {VCPUS} by default, for wakers "
                             f"{' and '.join(map(str, WAKERS_VCPUS))}")
    parser.add_argument("--guest-load", action="append", choices=LOADS, help="contention: this load only; may be repeated")


def setups(options):
    """[(guests, vCPUs of each, loads)], as they are asked for."""
    loads = options.guest_load or LOADS
    found = []
    for vms in options.vms or ((2,) if options.quick else VMS):
        vcpus = set(options.guest_vcpus or [VCPUS])
        if WAKERS in loads and vms == WAKERS_VMS and not options.guest_vcpus and not options.quick:
            vcpus |= set(WAKERS_VCPUS)
        for each in sorted(vcpus):
            of_each = [load for load in loads if load != WAKERS or vms == WAKERS_VMS]
            if each != VCPUS and not options.guest_vcpus:
                of_each = [WAKERS]
            if of_each:
                found.append((vms, each, of_each))
    return found


def _variants(load, skipped=()):
    return [name for name in VARIANTS if name not in skipped and (load == WAKERS or name not in guests.AVOIDING)]


def _seconds(options):
    return max(2, int(options.seconds or (4 if options.quick else 10)))


def scene(_options):
    """Guests are made when it is known how many."""
    return contextlib.nullcontext()


def _one_round(made, number, loads, options):
    """{"load variant": figures}: the variants take turns within a load, in another order each time."""
    cells = {}
    for load in loads:
        names = _variants(load, made.skipped)
        for variant in random.Random(f"{number} {load}").sample(names, len(names)):
            cells[f"{load} {variant}"] = made.measure(variant, load, _seconds(options))
    return cells


def _here(setup, options, add):
    vms, vcpus, loads = setup
    status, detail = kernel.fair_class(options.build)
    image = options.guest_image or guest_image(loads=True)
    with guests.Guests(options, vms, vcpus, image) as made:
        for name, why in made.skipped.items():
            print(f"bench: contention: {name} is left out: {why}", file=sys.stderr)
        about = {"vms": vms, "vcpus": vcpus, "kernel": os.uname().release, "cpus": os.cpu_count(),
                 "fair_class": {"status": status, "detail": detail}, "slow": options.slow, "seconds": _seconds(options),
                 "skipped": made.skipped, **made.kinds()}
        for number in range(options.rounds):
            add(about | {"cells": _one_round(made, number, loads, options)})
            print(f"bench: contention: {vms} guests of {vcpus} vCPUs: round {number + 1} of {options.rounds}", file=sys.stderr)


def _in_rig(setup, options, add):
    vms, vcpus, loads = setup
    words = ["--vms", str(vms), "--guest-vcpus", str(vcpus), "--seconds", str(_seconds(options)), "--slow", str(options.slow),
             "--guest-image", f"{inside.INSIDE}/{host_rig.IMAGE}"]
    words += [word for load in loads for word in ("--guest-load", load)]
    cells = sum(len(_variants(load, guests.AVOIDING)) for load in loads)
    with host_rig.image_files(options.guest_image or guest_image(loads=True)) as files:
        job = inside.Job("contention", words, cells, _seconds(options), files, host_rig.prepare)
        inside.measure(job, options, lambda one, machine: add(one | {"machine": machine}))


def _choose_host(options):
    if not isinstance(options.rig, str):
        raise RigError("contention --rig wants HOST/KERNEL, such as trixie/newest or bookworm/6.1")
    inside.choose("contention", options)
    if options.slow == 1:
        options.slow = RIG_SLOW
        print(f"bench: contention: --slow {RIG_SLOW}: bursts and the workers' work are so many times as long", file=sys.stderr)


def measure(_scene, options, rounds):
    """Fills {"rounds": [one dict per round of one setup]}."""
    if options.rig:
        _choose_host(options)
    kept = Kept(options, rounds.setdefault("rounds", []).append, slow=options.slow)
    kept.begin()
    for setup in setups(options):
        (_in_rig if options.rig else _here)(setup, options, kept.add)


def usable(rounds):
    return bool(rounds.get("rounds"))


def _alike(ones):
    """What must be the same of all rounds."""
    for name in ("kernel", "slow", "machine"):
        if len({one.get(name) for one in ones}) > 1:
            raise RigError(f"the rounds differ in {name}, and cannot be compared: give each its own --rounds-file")
    return ones[0]


def _pairs(ones, load, variant):
    """[(cell, the untouched one of the same round)]."""
    cells = [one["cells"] for one in ones]
    return [(cell[f"{load} {variant}"], cell[f"{load} {UNTOUCHED}"]) for cell in cells
            if f"{load} {variant}" in cell and f"{load} {UNTOUCHED}" in cell]


def _ratio(pairs, value):
    return figures.ratio([value(one) for one, _ in pairs], [value(base) for _, base in pairs]) if pairs else None


def _middle(values):
    return round(statistics.median(values), 3)


def _summary(ones, load, variant):
    """Figures of one load under one variant; None if it was not measured."""
    pairs = _pairs(ones, load, variant)
    if not pairs:
        return None
    found = {"rounds": len(pairs), "rate": _middle(one["rate"] for one, _ in pairs),
             "rate_vs_untouched": _ratio(pairs, lambda one: one["rate"]),
             "boosted_permille": _middle(one["boosted_permille"] for one, _ in pairs)}
    if load == NEIGHBOUR:
        found |= {"neighbour_permille": _middle(one["neighbour_permille"] for one, _ in pairs),
                  "neighbour_vs_untouched": _ratio(pairs, lambda one: one["neighbour_permille"])}
    if load in guests.LATENCIES:
        for name in ("avg_us", "p50_us", "p99_us", "p999_us"):
            found[name] = _middle(one["latency"][name] for one, _ in pairs)
            # a latency below the resolution is none
            found[f"{name.removesuffix('_us')}_vs_untouched"] = _ratio(pairs, lambda one, name=name: max(one["latency"][name], 1))
    if load == MEMBARRIER:
        seen = [one["ipis_seen"] / one["ipis"] for one, _ in pairs if one.get("ipis_seen") is not None and one["ipis"]]
        found["ipis_seen"] = _middle(seen) if seen else None
    if variant == AVOID_ONE:  # the first guest is told to avoid vCPUs, the others are its neighbours
        found |= {"told_vs_untouched": _ratio(pairs, lambda one: one["rates"][0]),
                  "told_p99_vs_untouched": _ratio(pairs, lambda one: max(one["latencies"][0]["p99_us"], 1)),
                  "others_vs_untouched": _ratio(pairs, lambda one: sum(one["rates"][1:]))}
    return found


def _row(setup, load, variant, one):
    latency = [one.get(name) for name in ("avg_us", "p99_us", "p999_us", "avg_vs_untouched", "p99_vs_untouched", "p999_vs_untouched")]
    verdict = "-" if variant == UNTOUCHED else figures.verdict(one["rate_vs_untouched"], less_is_better=False)
    return [setup, load, variant, one["rounds"], one["rate"], one["rate_vs_untouched"], verdict, *latency, one["boosted_permille"],
            one.get("neighbour_vs_untouched") or one.get("others_vs_untouched")]


def _target(rows, text, found, limit, at_most=True):
    if found:
        rows.append([text, found, figures.target(found, limit, at_most)])


def _targets(setup, vms, found):
    """What is wanted of the variant that is to give it."""
    rows = []
    for load, limit in ((load, GAIN[vms]) for load in WORK):
        one = found.get(f"{load} {THROUGHPUT}")
        if one:
            _target(rows, f"{setup}: {load}, {THROUGHPUT}: work >= {limit} of untouched", one["rate_vs_untouched"], limit, False)
    one = found.get(f"{MEMBARRIER} {THROUGHPUT}")
    if one:
        _target(rows, f"{setup}: {MEMBARRIER}, {THROUGHPUT}: p99 <= 0.1 of untouched", one["p99_vs_untouched"], 0.1)
        _target(rows, f"{setup}: {MEMBARRIER}, {THROUGHPUT}: average <= 0.33 of untouched", one["avg_vs_untouched"], 0.33)
    for name, one in found.items():
        load, _, variant = name.partition(" ")
        if variant in (UNTOUCHED, AGAIN, *guests.AVOIDING):
            continue
        if load in WORK:
            _target(rows, f"{setup}: {load}, {variant}: work >= {KEPT} of untouched", one["rate_vs_untouched"], KEPT, False)
        if load == NEIGHBOUR:
            _target(rows, f"{setup}: {load}, {variant}: host's load >= {NEIGHBOUR_KEPT} of untouched", one["neighbour_vs_untouched"],
                    NEIGHBOUR_KEPT, False)
    one = found.get(f"{WAKERS} {AVOID}")
    if one:
        _target(rows, f"{setup}: {WAKERS}, {AVOID}: p99 <= 0.1 of untouched", one["p99_vs_untouched"], 0.1)
        _target(rows, f"{setup}: {WAKERS}, {AVOID}: p99.9 <= 0.125 of untouched", one["p999_vs_untouched"], 0.125)
        _target(rows, f"{setup}: {WAKERS}, {AVOID}: requests >= 0.97 of untouched", one["rate_vs_untouched"], 0.97, False)
    one = found.get(f"{WAKERS} {AVOID_ONE}")
    if one:
        _target(rows, f"{setup}: {WAKERS}, {AVOID_ONE}: requests of the others >= untouched", one["others_vs_untouched"], 1.0, False)
    return rows


def _headline(found):
    """One number for each question, of the variant that helps those that others wait for, or of the one that there is."""
    variant = next((name for name in (THROUGHPUT, guests.LATENCY) if any(key.endswith(f" {name}") for key in found)), None)

    def number(load, name):
        value = (found.get(f"{load} {variant}") or {}).get(name)
        return value["ratio"] if isinstance(value, dict) else value

    return {"of": variant, "membarrier_p99_vs_untouched": number(MEMBARRIER, "p99_vs_untouched"),
            "membarrier_avg_vs_untouched": number(MEMBARRIER, "avg_vs_untouched"),
            **{load: number(load, "rate_vs_untouched") for load in WORK}, "neighbour": number(NEIGHBOUR, "neighbour_vs_untouched"),
            "ipis_seen": number(MEMBARRIER, "ipis_seen")}


def _again_text(found):
    """The untouched runs against each other: what differs by less than that cannot be told apart."""
    rows = [[load, one["rate_vs_untouched"], one.get("avg_vs_untouched"), one.get("p99_vs_untouched"), one.get("neighbour_vs_untouched")]
            for load in LOADS if (one := found.get(f"{load} {AGAIN}"))]
    return figures.table(["untouched again / untouched", "work", "avg", "p99", "host's load"], rows) if rows else ""


def report(rounds, _options):
    """(JSON, Markdown)."""
    about = _alike(rounds["rounds"])
    by_setup = {}
    for one in rounds["rounds"]:
        by_setup.setdefault((one["vms"], one["vcpus"]), []).append(one)
    fair = about["fair_class"]
    slow = f"; bursts, and the workers' work, {about['slow']} times as long" if about["slow"] > 1 else ""
    texts = [f"Linux {about['kernel']}, {about['cpus']} CPUs, {about.get('machine', 'this machine')}; fair class {fair['status']}: "
             f"{fair['detail']}; {about['seconds']} s each; guests: {about['guest_type']}, Linux {about['guest_kernel']}{slow}"]
    texts += [f"left out: {name}: {why}" for name, why in sorted(about["skipped"].items())]
    vms_json, wakers_json, table, targets = {}, {}, [], []
    for (vms, vcpus), ones in sorted(by_setup.items()):
        setup = f"{vms} x {vcpus}"
        found = {f"{load} {variant}": one for load in LOADS for variant in VARIANTS if (one := _summary(ones, load, variant))}
        again = _again_text(found)
        if again:
            texts.append(f"{setup} vCPUs, {len(ones)} rounds\n\n{again}")
        if vcpus == VCPUS or str(vms) not in vms_json:
            vms_json[str(vms)] = _headline(found) | {"vcpus": vcpus, "rounds": len(ones), "figures": found}
        if any(name.startswith(WAKERS) for name in found):
            wakers_json[f"{vms * vcpus / about['cpus']:g}:1"] = {name.partition(" ")[2]: one for name, one in found.items()
                                                                 if name.startswith(WAKERS)}
        table += [_row(setup, *name.split(" "), one) for name, one in found.items()]
        targets += _targets(setup, vms, found)
    head = ["guests x vCPUs", "load", "variant", "rounds", "work/s", "of untouched", "verdict", "avg us", "p99 us", "p99.9 us",
            "avg / untouched", "p99 / untouched", "p99.9 / untouched", "boosted permille", "neighbour / untouched"]
    texts += [figures.table(head, table), figures.table(["target", "measured", "verdict"], targets)]
    return {"vms": vms_json, "wakers": wakers_json, "kernel": about["kernel"], "fair_class": fair, "machine": about.get("machine"),
            "slow": about["slow"], "seconds": about["seconds"], "skipped": about["skipped"],
            "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}, "\n\n".join(texts)
