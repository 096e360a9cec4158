# SPDX-License-Identifier: GPL-2.0-or-later
"""trial: how often `pvschedctl trial` is wrong, on real guests whose gain and price are known beforehand."""

import contextlib
import json
import math
import os
import random
import subprocess
import sys
import time

from rig import proc, rtbudget
from rig.daemon import program
from rig.proc import RigError

from . import figures, real_guest
from .kept import Kept

QUICK_ROUNDS = 4
# Of a trial: short windows, and enough blocks of them that a plain answer ends it half-way. And what boot and trial take
# at most, if all goes well.
_FOR_S, _WINDOW = 60, "1s..3s"
_BOOT_S, _TRIAL_S = 20, _FOR_S + 5
# Load that changes does so in this part of the trial: after its first block, and hardly ever after its end. A trial that
# ended before is no such trial, and is begun again.
_CHANGES, _TRIES = (0.1, 0.35), 3
_QUOTA_US = 50_000  # of 100 ms: more than a guest that is woken each 8 ms takes, and a quota all the same

# A vCPU that is woken each 8 ms and works for 50 us: far less than its fair share beside the load, also where emulation
# makes some hundred us of it. Or one that never sleeps.
WAKES, HOG = (50, 8000), (100_000, 100_000)
PROFILES = {
    "tried": {"mode": "boost", "share_permille": 200, "burst_us": 1500, "levers": ["rt"]},
    # boosts of this one do nothing: without the real-time class, and the clamp is what every thread has anyway
    "nothing": {"mode": "boost", "share_permille": 10, "burst_us": 50, "levers": ["uclamp"], "util_min": 1},
}
CANNOT_TELL, NOT_WORTH, RECOMMEND, TOO_HIGH = "cannot-tell", "not-worth-it", "recommend", "price-too-high"


class Case:
    """guest: what its vCPU does. busy: the host has load, "changes": from or until some moment. right: the advices that
    are not wrong."""

    def __init__(self, right, guest=WAKES, busy=True, profile="tried", quota=False, state=None):
        self.right, self.guest, self.busy, self.profile = right, guest, busy, profile
        self.quota, self.state = quota, state

    def is_wrong(self, trial):
        if self.state:  # it must say why it cannot be tried
            return trial["state"] != self.state or trial.get("reason") != "quota"
        return trial["advice"] not in self.right


CASES = {
    "busy": Case({RECOMMEND}),
    "idle": Case({NOT_WORTH}, busy=False),
    "hog": Case({NOT_WORTH, TOO_HIGH}, guest=HOG),
    "quota": Case(set(), quota=True, state="held"),
    "changes": Case({CANNOT_TELL, RECOMMEND}, busy="changes"),
    "same": Case({NOT_WORTH, CANNOT_TELL}, profile="nothing"),
}


def arguments(parser):
    parser.add_argument("--case", action="append", choices=CASES, help="trial: one case only; may be repeated")


class Tried:
    """Context manager: guest, daemon and load, made once."""

    def __init__(self, options):
        self._options = options
        self._undo = contextlib.ExitStack()
        self.guest = self.daemon = self.load = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            config = {"default_profile": "observe", "profiles": PROFILES,
                      "host": {"grant_rt_budget": rtbudget.needed(), "domain_burst_us": 4000, "cpu_burst_us": 4000}}
            self.daemon, self.guest, self.load = undo.enter_context(
                real_guest.running(self._options, config, "pvsched-tried"))
            self._place(self.tid())
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _place(self, tid):
        """The load evenly, and the vCPU on the last CPU: beside as much of it at all times."""
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(tid, {cpus[-1]})
        for index, spinner in enumerate(self.load.pids()):
            os.sched_setaffinity(spinner, {cpus[index % len(cpus)]})

    def tid(self):
        return next(iter(self.guest.vcpu_tids().values()))

    @contextlib.contextmanager
    def works(self, case):
        """The guest works, beside the load that the case has."""
        self.guest.command(f"background busy {case.guest[0]} {case.guest[1]} {10 * _FOR_S}")
        try:
            if case.busy is True:
                self.load.resume()
            yield
        finally:
            self.load.pause()
            self.guest.command("stop")

    @contextlib.contextmanager
    def quota(self, case):
        """A CFS quota above the vCPU, as libvirt sets it."""
        def tune(*words):
            proc.run("virsh", "schedinfo", self.guest.name, "--live", *words)
        if case.quota:
            tune("--set", f"vcpu_quota={_QUOTA_US}")
        try:
            yield
        finally:
            if case.quota:
                tune("--set", "vcpu_quota=-1")


def _follow(tried, case, process, chance):
    """Until the trial has ended; the load comes or goes at some moment if it is to. What the tool said, and whether the load
    was as the case wants it: a trial may end before it changes."""
    comes, at = chance.random() < 0.5, time.monotonic() + chance.uniform(*_CHANGES) * _FOR_S
    changes = case.busy == "changes"
    if changes and not comes:
        tried.load.resume()
    while process.poll() is None:
        if changes and time.monotonic() >= at:
            (tried.load.resume if comes else tried.load.pause)()
            changes = False
        time.sleep(0.1)
    out, error = process.communicate()
    if not out:
        raise RigError(f"the trial failed: {error.strip()}")
    return json.loads(out), not changes


def _found(tried):
    """What a trial must leave as it is."""
    daemon = tried.daemon
    return daemon.ctl_json("policy", "get", tried.guest.name), daemon.ctl_json("policy", "list")


def _try(tried, case, chance, options):
    """One trial; None if it ended before the load changed."""
    found = _found(tried)
    words = ("trial", tried.guest.name, "--for", f"{_FOR_S}s", "--window", _WINDOW, "--profile", case.profile, "--json")
    process = subprocess.Popen([program(options.build, "pvschedctl"), "--socket", f"{tried.daemon.runtime_dir}/control.sock",
                                *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=proc.die_with_parent)
    try:
        trial, as_wanted = _follow(tried, case, process, chance)
    finally:
        process.kill()
        process.wait()
    if not as_wanted:
        return None
    return {key: value for key, value in trial.items() if key not in ("histogram", "uuid", "domain")} | {
        "wrong": case.is_wrong(trial), "left_as_found": _found(tried) == found}


def scene(_options):
    """Guest and daemon are made when it is known that a round is missing."""
    return contextlib.nullcontext()


def missing(options, rounds):
    """[(round, case)] that are still to be tried: rounds outermost, cases in another order each time."""
    wanted = [name for name in CASES if not options.case or name in options.case]
    return [(number, name) for number in range(options.rounds) for name in random.Random(number).sample(wanted, len(wanted))
            if len(rounds.get(name, ())) <= number]


def _sit(todo, options, kept):
    """Tries what is missing until the time is over."""
    end = time.monotonic() + (math.inf if options.sitting is None else options.sitting)
    if time.monotonic() + _BOOT_S + _TRIAL_S > end:
        return
    kept.begin()
    with Tried(options) as tried:
        todo = [(number, name, 1) for number, name in todo]
        while todo and time.monotonic() + _TRIAL_S <= end:
            number, name, attempt = todo.pop(0)
            case, chance = CASES[name], random.Random(f"{number} {name} {attempt}")
            with tried.quota(case), tried.works(case):
                trial = _try(tried, case, chance, options)
            if trial:
                kept.add({name: trial})
                print(f"bench: trial: {name}, round {number + 1} of {options.rounds}: {trial['advice']}, {trial['state']}, "
                      f"{trial['elapsed_ms'] // 1000} s{', which is wrong' if trial['wrong'] else ''}", file=sys.stderr)
            else:
                print(f"bench: trial: {name}: it ended before the load changed", file=sys.stderr)
                if attempt < _TRIES:
                    todo.insert(0, (number, name, attempt + 1))


def measure(_scene, options, rounds):
    """Fills {case: [one dict per round]}."""
    def take(one):
        for name, trial in one.items():
            rounds.setdefault(name, []).append(trial)

    kept = Kept(options, take)
    todo = missing(options, rounds)
    if todo:
        _sit(todo, options, kept)
    left = len(missing(options, rounds))
    if left:
        print(f"bench: trial: {left} trials are missing: the same command with the same --rounds-file goes on with them",
              file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds)


def _summary(trials):
    return {"repeats": len(trials), "wrong": sum(trial["wrong"] for trial in trials),
            "not_left_as_found": sum(not trial["left_as_found"] for trial in trials),
            "advice": {advice: sum(trial["advice"] == advice for trial in trials)
                       for advice in (RECOMMEND, NOT_WORTH, TOO_HIGH, CANNOT_TELL)},
            "p99_us": [trial["off"]["p99_us"]["value"] for trial in trials],
            "p99_with_us": [trial["on"]["p99_us"]["value"] for trial in trials],
            "lost_permille": [trial["price"][trial["price"]["worst"]]["value"] for trial in trials if "worst" in trial["price"]],
            "elapsed_s": [trial["elapsed_ms"] / 1000 for trial in trials]}


def _middle(values):
    return figures.percentile(sorted(values), 500) if values else None


def report(rounds, _options):
    """(JSON, Markdown): sums over all cases, and each case."""
    cases = {name: _summary(rounds[name]) for name in CASES if name in rounds}
    rows = [[name, one["repeats"], one["wrong"], one["not_left_as_found"], *one["advice"].values(), _middle(one["p99_us"]),
             _middle(one["p99_with_us"]), _middle(one["lost_permille"]), _middle(one["elapsed_s"])]
            for name, one in cases.items()]
    head = ["case", "trials", "wrong", "not left as found", "recommend", "not worth it", "price too high", "cannot tell",
            "p99 us, median", "with boosts", "lost, permille", "seconds"]
    sums = {key: sum(one[key] for one in cases.values()) for key in ("repeats", "wrong", "not_left_as_found")}
    text = f"{sums['repeats']} trials, {sums['wrong']} wrong, {sums['not_left_as_found']} not left as found"
    return sums | {"cases": cases}, f"{figures.table(head, rows)}\n\n{text}"
