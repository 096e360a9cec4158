# SPDX-License-Identifier: GPL-2.0-or-later
"""neighbours: how late an honest vCPU runs beside a domain that does its worst, and what that takes the booster.

All of it by the daemon itself and its procfs source: one domain is honest and boosted, the other one is hostile. Each
hostile variant has a control: the same load without the hostile deed.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid

from rig import proc
from rig.daemon import Daemon
from rig.pages import Region
from rig.proc import RigError

from . import figures
from .scene import BOOST_BUDGETS_US

PAGES = 64
# name: (what the neighbour does, its vCPUs); its control comes before it
VARIANTS = {"alone": None, "no-flips": ("no-flips", PAGES), "flips": ("flips", PAGES), "no-forks": ("no-forks", 1),
            "forks": ("forks", 1)}
CONTROLS = {"flips": "no-flips", "forks": "no-forks"}
P99_LIMIT = 1.2
BOOSTER_PERMILLE = 20
_SETTLE_S = 0.5


def arguments(_parser):
    """None of its own: --seconds is wake's, too."""


class _Domain:
    """A bench-neighbour; ends with its standard input."""

    def __init__(self, build, name, way, vcpus, procs_file):
        self.name, self.vcpus, self.uuid = name, vcpus, str(uuid.uuid4())
        self.process = subprocess.Popen(
            [executable(build), "-name", f"guest={name},debug-threads=on", "-uuid", self.uuid, "-accel", "tcg",
             "-smp", str(vcpus), "-object", "memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NEIGHBOUR_WAY": way, "NEIGHBOUR_VCPUS": str(vcpus)})
        with open(procs_file, "w", encoding="ascii") as file:
            file.write(str(self.process.pid))
        self._expect("ready")

    def _expect(self, word):
        said = self.process.stdout.readline().strip()
        if said != word:
            raise RigError(f"{self.name} said '{said}' instead of '{word}', see above")

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def measure(self, seconds, path):
        """Latencies in ns."""
        self.tell(f"{int(1000 * seconds)} {path}")
        self._expect("done")
        return figures.load(path, "Q")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def executable(build):
    path = os.path.realpath(f"{build}/tests/bench/bench-neighbour")
    if not os.path.exists(path):
        raise RigError(f"{path} is not there: build with `ninja -C {build}`, or name the build with --build")
    return path


@contextlib.contextmanager
def _domain(scene, build, name, way, vcpus):
    domain = _Domain(build, name, way, vcpus, scene.procs_file())
    key = scene.deadman.add(pid=domain.process.pid)
    try:
        yield domain
    finally:
        domain.end()
        scene.deadman.remove(key)


def _config(build):
    return {"default_profile": "observe", "domains": {"glob": {"bench-*": {"profile": "latency"}}},
            "host": {"discovery": ["procfs"], "qemu_executables": [executable(build)],
                     "booster_permille": BOOSTER_PERMILLE}}


def _known(daemon, domain):
    """Its vCPUs as the daemon shows them, when there are as many as it has; else False."""
    try:
        shown = json.loads(daemon.ctl("show", domain.uuid, "--json"))["domain"]
    except (RigError, json.JSONDecodeError):
        return False
    return shown if len(shown["vcpus"]) == domain.vcpus else False


def _boosts(daemon, domain):
    return sum(vcpu["boosts_total"] for vcpu in _known(daemon, domain)["vcpus"])


def _wait_boosted(daemon, domain):
    proc.wait_for(lambda: _known(daemon, domain), 20, f"{domain.name} to be known")
    proc.wait_for(lambda: _boosts(daemon, domain) > 0, 20, f"{domain.name} to be boosted")


def _begin_harm(daemon, domain, way):
    """It says hello on each page, and begins when it is heard."""
    if way == "flips":
        with Region(domain.process.pid) as region:
            region.wait_host()
            pages = [region.page(vcpu) for vcpu in range(domain.vcpus)]
            for page in pages:
                page.hello()
            for page in pages:
                page.wait_status("enabled")
    _wait_boosted(daemon, domain)
    domain.tell("go")


def _tid(daemon, name):
    return next(tid for tid, comm in proc.threads(daemon.process.pid).items() if comm == name)


def _look(scene, daemon, honest, hostile, seconds):
    """One measurement of the honest one."""
    path, booster = scene.path("latencies"), _tid(daemon, "booster")
    begin, used, main = time.monotonic(), proc.run_ns(booster), proc.run_ns(daemon.process.pid)
    boosted_ns = _known(daemon, honest)["vcpus"][0]["boosted_ns"]
    samples = honest.measure(seconds, path)
    wall_ns = (time.monotonic() - begin) * 1e9
    shown = _known(daemon, honest)
    found = {"samples": samples, "booster_permille": 1000 * (proc.run_ns(booster) - used) / wall_ns,
             "main_permille": 1000 * (proc.run_ns(daemon.process.pid) - main) / wall_ns,
             "boosted_permille": 1000 * (shown["vcpus"][0]["boosted_ns"] - boosted_ns) / wall_ns,
             "unheard": shown["attention"]["unheard_total"]}
    if hostile:
        them = _known(daemon, hostile)
        found |= {"hostile_unheard": them["attention"]["unheard_total"], "hostile_boosts": _boosts(daemon, hostile)}
    status = daemon.ctl_json("status")
    if status["breaker"] != "closed" or status["guardian_acts"]:
        raise RigError(f"the breaker is {status['breaker']}, and the guardian acted {status['guardian_acts']} times")
    return found | figures.summary(samples)


def _measure(scene, build, variant, seconds):
    with contextlib.ExitStack() as undo:
        honest = undo.enter_context(_domain(scene, build, "bench-honest", "honest", 1))
        hostile = None
        if VARIANTS[variant]:
            way, vcpus = VARIANTS[variant]
            hostile = undo.enter_context(_domain(scene, build, "bench-hostile", way, vcpus))
        undo.enter_context(scene.budget(BOOST_BUDGETS_US))
        daemon = undo.enter_context(Daemon(build, _config(build), scene.deadman))
        _wait_boosted(daemon, honest)
        if hostile:
            _begin_harm(daemon, hostile, way)
        time.sleep(_SETTLE_S)  # what was saved up before is used
        return _look(scene, daemon, honest, hostile, seconds)


def measure(scene, options, rounds):
    """Fills {variant: [one dict per round]}; rounds outermost, variants rotated within."""
    names, seconds = list(VARIANTS), options.seconds or (1 if options.quick else 3)
    for number in range(options.rounds):
        turn = number % len(names)
        found = {name: _measure(scene, options.build, name, seconds) for name in names[turn:] + names[:turn]}
        for name, one in found.items():
            rounds.setdefault(name, []).append(one)
        print(f"bench: neighbours: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds)


def _column(rounds, variant, name):
    return [one[name] for one in rounds[variant]]


def _against(rounds, variant, other):
    return figures.ratio(_column(rounds, variant, "p99_us"), _column(rounds, other, "p99_us")) if other else None


def _summary(rounds, variant):
    ones = rounds[variant]
    return figures.summary([sample for one in ones for sample in one["samples"]]) | {
        "rounds": len(ones), "p99_vs_control": _against(rounds, variant, CONTROLS.get(variant)),
        "p99_vs_alone": _against(rounds, variant, "alone" if variant != "alone" else None)} | {
        name: round(sum(one[name] for one in ones) / len(ones), 2)
        for name in ("booster_permille", "main_permille", "boosted_permille", "unheard", "hostile_unheard", "hostile_boosts")
        if name in ones[0]} | {"booster_permille_max": round(max(_column(rounds, variant, "booster_permille")), 2)}


def report(rounds, _options):
    """(JSON, Markdown)."""
    variants = {variant: _summary(rounds, variant) for variant in rounds}
    head = ["beside", "rounds", "avg us", "p50", "p99", "p99.9", "max", "p99 / control", "p99 / alone", "boosted permille",
            "booster permille, mean", "largest", "main thread permille", "it was unheard", "the hostile one was"]
    rows = [[name, one["rounds"], *(one[key] for key in ("avg_us", "p50_us", "p99_us", "p999_us", "max_us")),
             one["p99_vs_control"] or "-", one["p99_vs_alone"] or "-", one["boosted_permille"], one["booster_permille"],
             one["booster_permille_max"], one["main_permille"], one["unheard"], one.get("hostile_unheard", "-")]
            for name, one in variants.items()]
    targets = [[f"p99 beside {name} <= {P99_LIMIT} x {CONTROLS[name]}", one["p99_vs_control"],
                figures.target(one["p99_vs_control"], P99_LIMIT)] for name, one in variants.items() if name in CONTROLS]
    targets += [[f"booster beside {name} <= {BOOSTER_PERMILLE} permille, in each round", one["booster_permille_max"],
                 "met" if one["booster_permille_max"] <= BOOSTER_PERMILLE else "missed"]
                for name, one in variants.items() if name in CONTROLS]
    text = figures.table(head, rows) + "\n\n" + figures.table(["target", "measured", "verdict"], targets)
    return {"variants": variants, "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}, text
