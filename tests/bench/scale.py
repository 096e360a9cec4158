# SPDX-License-Identifier: GPL-2.0-or-later
"""scale: what many domains cost the daemon: how long it takes to know them, its memory, its CPU time, its wake-ups."""

import contextlib
import json
import os
import socket
import statistics
import sys
import time

from rig import proc
from rig.daemon import Daemon
from rig.proc import RigError

from . import figures, fleet
from .scene import BOOST_BUDGETS_US

COUNTS = (1, 16, 64, 250)  # domains of fleet.VCPUS vCPUs each
RATE = 10  # wake-ups of each vCPU in a second
# name: (are vCPUs armed?, wake-ups of each vCPU in a second)
STATES = {"asleep, observed": (False, 0), "awake, observed": (False, RATE),
          "asleep, armed": (True, 0), "awake, armed": (True, RATE)}
# The CPUs of a host bound how many vCPUs can be armed at once: as many as fit, each with the least share that is admitted.
SHARE_PERMILLE, CPU_SHARE_PERMILLE = 10, 500
_PREFIX = "bench-scale-"
_LISTED_S = 60
_POLL_S = 0.01
_SETTLE_S = 0.5  # new domains are looked at again some times, less and less often
_CLOSED_S = 0.1  # the daemon wakes once more when its client is gone
MINUTE_S = 65  # all processes are looked at once a minute
METRICS_EVERY_S = 15  # how often node_exporter is usually asked
# What is looked at for that long: (state, is a metrics file written?)
MINUTES = (("asleep, observed", False), ("asleep, observed", True), ("awake, observed", True))
DISCOVERY_S, RSS_MIB, TARGET_COUNT = 2, 32, 250


def arguments(parser):
    parser.add_argument("--domains", type=int, action="append", metavar="N",
                        help=f"scale: only this many; may be repeated; {', '.join(map(str, COUNTS))} by default")
    parser.add_argument("--qemu", type=int, default=16, metavar="N",
                        help="scale: real QEMUs beside the stand-ins, paused, of some 30 MiB each (16; 0: none)")


class Control:
    """The control socket: a pvschedctl for each look would be most of what is measured."""

    def __init__(self, path):
        self._path = path

    def ask(self, verb, **members):
        """The answer; None where there is no such domain."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self._path)
            connection.sendall(json.dumps({"verb": verb, **members}).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline())
        if not answer["ok"]:
            if answer.get("code") == "ENOENT":
                return None
            raise RigError(f"{verb}: {answer['error']}")
        return answer["result"]

    def wait_listed(self, names):
        """Waits until all are known with their vCPUs. Asks only for the first one that is not: a list would cost the
        daemon time."""
        left = list(reversed(names))  # the last one is found last

        def listed():
            while left:
                shown = self.ask("show", domain=left[0])
                if shown is None or len(shown["domain"]["vcpus"]) != fleet.VCPUS:
                    return False
                left.pop(0)
            return True

        proc.wait_for(listed, _LISTED_S, f"{len(names)} domains to be listed", step=_POLL_S)


def armable(cpus):
    """How many domains can be armed at once on so many CPUs."""
    return max(1, cpus * CPU_SHARE_PERMILLE // (SHARE_PERMILLE * fleet.VCPUS))


def _config(build, armed=(), metrics_file=None):
    metrics = {"metrics_file": metrics_file, "metrics_interval_s": METRICS_EVERY_S} if metrics_file else {}
    return {"default_profile": "observe",
            "profiles": {"armed": {"mode": "boost", "share_permille": SHARE_PERMILLE, "burst_us": 500}},
            "domains": {"name": {name: {"profile": "armed"} for name in armed}},
            "host": {"discovery": ["procfs"], "cpu_share_permille": CPU_SHARE_PERMILLE,
                     "qemu_executables": [fleet.executable(build), "/usr/bin/qemu-system-*"], **metrics}}


def _memory(pid):
    """(RSS, PSS) in MiB."""
    found = {}
    for line in proc.read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]:
        key, value = line.split()[:2]
        found[key] = int(value) / 1024
    return found["Rss:"], found["Pss:"]


def _use(pids):
    """{(tid, name): (CPU time in ns, times that it slept)} of all threads."""
    return {(tid, name): (proc.run_ns(tid), fleet.voluntary_switches(pid, tid))
            for pid in pids for tid, name in proc.threads(pid).items()}


def spent(before, after, wall_s):
    """(permille of one CPU, wake-ups per second, {thread name: permille}) out of two looks by _use().

    Of threads that are new all counts, those that ended meanwhile are lost.
    """
    by_name, wakeups = {}, 0
    for key, (ran_ns, slept) in after.items():
        ran_before_ns, slept_before = before.get(key, (0, 0))
        by_name[key[1]] = by_name.get(key[1], 0) + (ran_ns - ran_before_ns) / wall_s / 1e6
        wakeups += slept - slept_before
    return round(sum(by_name.values()), 3), round(wakeups / wall_s, 2), {
        name: round(permille, 3) for name, permille in by_name.items()}


class _Running:
    """The daemon, for as long as one measurement lasts, with COUNT domains to find."""

    def __init__(self, daemon, control, domains, build):
        self.daemon, self.control, self.domains, self._build = daemon, control, domains, build
        guardian = control.ask("status")["sources"]["guardian"]["detail"]
        if not guardian.startswith("pid "):
            raise RigError(f"the guardian does not run: {guardian}")
        self.pids = {"daemon": daemon.process.pid, "guardian": int(guardian.split()[1])}

    def memory(self):
        sizes = {who: _memory(pid) for who, pid in self.pids.items()}
        return {"rss_mib": round(sizes["daemon"][0], 2), "guardian_rss_mib": round(sizes["guardian"][0], 2),
                "pss_mib": round(sum(pss for _, pss in sizes.values()), 2)}

    def add_one(self):
        """ms until one more domain is listed, from when its threads have their names."""
        self.domains.wait_ready(self.domains.start_one())
        begin = time.monotonic()
        self.control.wait_listed(self.domains.names()[-1:])
        return round((time.monotonic() - begin) * 1000, 2)

    def look(self, state, seconds, metrics=False):
        """What the daemon does in this state; metrics: while it writes a metrics file."""
        arm, rate = STATES[state]
        metrics_file = f"{self.daemon.directory}/pvschedd.prom" if metrics else None
        self.daemon.write_config(_config(self._build, self.domains.names()[:armable(os.cpu_count())] if arm else (),
                                         metrics_file))
        self.daemon.ctl("reload")
        self.domains.wake(rate)
        time.sleep(_SETTLE_S)
        # a look at all vCPUs is work for the daemon: none lies between the two of what it used
        boosts, woken, woken_at = self._boosts(), self.domains.wakeups(), time.monotonic()
        time.sleep(_CLOSED_S)
        before, begin = _use(self.pids.values()), time.monotonic()
        time.sleep(seconds)
        after, wall_s = _use(self.pids.values()), time.monotonic() - begin
        if metrics and not os.path.exists(metrics_file):
            raise RigError(f"the daemon did not write {metrics_file}: {self.daemon.log()[-2000:]}")
        woken, woken_s = self.domains.wakeups() - woken, time.monotonic() - woken_at
        permille, wakeups, by_name = spent(before, after, wall_s)
        status = self.control.ask("status")
        boosts = sum(vcpu["boosts_total"] for vcpu in status["vcpus"]) - boosts
        return {"cpu_permille": permille, "wakeups_per_s": wakeups, "cpu_permille_of": by_name,
                "armed": status["events"]["boosted_now"], "vcpu_wakeups_per_s": round(woken / woken_s, 1),
                "seconds": round(wall_s, 2), "sched_calls_per_1000": round(2000 * boosts / woken, 3) if rate else 0}

    def _boosts(self):
        """Each is a call, and one more to give it back."""
        return sum(vcpu["boosts_total"] for vcpu in self.control.ask("status")["vcpus"])


@contextlib.contextmanager
def _running(scene, build, count, qemu=False):
    """Yields (what runs, seconds until the daemon was ready, until all were listed)."""
    with fleet.Fleet(build, count, _PREFIX, scene.procs_file(), qemu) as domains, scene.budget(BOOST_BUDGETS_US):
        daemon = Daemon(build, _config(build), scene.deadman)
        begin = time.monotonic()
        with daemon:
            ready_s = time.monotonic() - begin
            control = Control(f"{daemon.runtime_dir}/control.sock")
            control.wait_listed(domains.names())
            listed_s = time.monotonic() - begin
            time.sleep(_SETTLE_S)
            yield _Running(daemon, control, domains, build), ready_s, listed_s


def _measure(scene, build, count, seconds, qemu):
    with _running(scene, build, count, qemu) as (one, ready_s, listed_s):
        found = {"ready_s": round(ready_s, 4), "discovery_s": round(listed_s, 4), "vcpus": count * fleet.VCPUS} | one.memory()
        found["new_ms"] = one.add_one()
        found["states"] = {} if qemu else {state: one.look(state, seconds) for state in STATES}
        found["armed_rss_mib"] = None if qemu else one.memory()["rss_mib"]
        return found


def _minutes(scene, build, count):
    """For so long that what is done once a minute is in it."""
    with _running(scene, build, count) as (one, _, _):
        return [one.look(state, MINUTE_S, metrics) | {"domains": count, "state": state, "metrics": metrics}
                for state, metrics in MINUTES]


def measure(scene, options, rounds):
    """Fills {"variants": {name: [one dict per round]}}; rounds outermost, variants rotated within."""
    variants = {str(count): (count, False) for count in options.domains or COUNTS}
    qemus = min(options.qemu, 4) if options.quick else options.qemu
    if qemus and os.path.exists(fleet.QEMU):
        variants[f"{qemus} QEMU"] = (qemus, True)
    names, seconds = list(variants), options.seconds or (1 if options.quick else 2)
    rounds["variants"] = {}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            count, qemu = variants[name]
            rounds["variants"].setdefault(name, []).append(_measure(scene, options.build, count, seconds, qemu))
        print(f"bench: scale: round {number + 1} of {options.rounds}", file=sys.stderr)
    if not options.quick:
        rounds["minutes"] = _minutes(scene, options.build, max(options.domains or COUNTS))


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds.get("variants"))


def _median(values):
    """As figures.ratio() has it: with its interval."""
    return figures.ratio(values, [1] * len(values))


def _of_states(ones):
    """{state: {figure: median}}."""
    return {state: {name: round(statistics.median(one["states"][state][name] for one in ones), 3)
                    for name in ("cpu_permille", "wakeups_per_s", "vcpu_wakeups_per_s", "armed", "sched_calls_per_1000")} |
            {"cpu_permille_of": {name: round(statistics.median(one["states"][state]["cpu_permille_of"].get(name, 0)
                                                               for one in ones), 3)
                                 for name in sorted({name for one in ones for name in one["states"][state]["cpu_permille_of"]})}}
            for state in ones[0]["states"]}


def _summary(ones):
    return {name: _median([one[name] for one in ones]) for name in ("ready_s", "discovery_s", "new_ms")} | {
        name: round(statistics.median(one[name] for one in ones), 2) if ones[0][name] is not None else None
        for name in ("rss_mib", "guardian_rss_mib", "pss_mib", "armed_rss_mib")} | {
        "rss": _median([max(one["rss_mib"], one["armed_rss_mib"] or 0) for one in ones]),
        "vcpus": ones[0]["vcpus"], "rounds": len(ones), "states": _of_states(ones)}


def _targets(variants):
    one = variants.get(str(TARGET_COUNT))
    if one is None:
        return []
    rows = [[f"{TARGET_COUNT} domains of {fleet.VCPUS}: start to all listed <= {DISCOVERY_S} s", one["discovery_s"],
             figures.target(one["discovery_s"], DISCOVERY_S)],
            [f"RSS of the daemon <= {RSS_MIB} MiB, observing and armed", one["rss"], figures.target(one["rss"], RSS_MIB)]]
    rows += [[f"wake-ups of the daemon per second, vCPUs {state}: 0", one["states"][state]["wakeups_per_s"],
              "met" if one["states"][state]["wakeups_per_s"] == 0 else "missed"]
             for state, (_, rate) in STATES.items() if rate == 0]
    return rows


def report(rounds, _options):
    """(JSON, Markdown)."""
    variants = {name: _summary(ones) for name, ones in rounds["variants"].items()}
    head = ["domains", "vCPUs", "rounds", "start to ready s", "start to all listed s", "one new to listed ms", "RSS MiB", "armed",
            "guardian's RSS", "PSS of both"]
    rows = [[name, one["vcpus"], one["rounds"], one["ready_s"]["ratio"], one["discovery_s"], one["new_ms"], one["rss_mib"],
             one["armed_rss_mib"], one["guardian_rss_mib"], one["pss_mib"]] for name, one in variants.items()]
    state_head = ["domains", "vCPUs are", "wake-ups of vCPUs/s", "armed", "calls / 1000 wake-ups", "CPU use, permille of one CPU",
                  "daemon's wake-ups/s", "by thread, permille"]
    states = [[name, state, one["vcpu_wakeups_per_s"], one["armed"], one["sched_calls_per_1000"], one["cpu_permille"],
               one["wakeups_per_s"], ", ".join(f"{thread} {permille:g}" for thread, permille in one["cpu_permille_of"].items()
                                               if permille)]
              for name, variant in variants.items() for state, one in variant["states"].items()]
    minutes = rounds.get("minutes", [])
    for one in minutes:
        file = f", a metrics file each {METRICS_EVERY_S} s" if one["metrics"] else ""
        states.append([str(one["domains"]), f"{one['state']}{file}, for {one['seconds']:.0f} s", one["vcpu_wakeups_per_s"],
                       one["armed"], 0, one["cpu_permille"], one["wakeups_per_s"],
                       ", ".join(f"{thread} {permille:g}" for thread, permille in one["cpu_permille_of"].items() if permille)])
    targets = _targets(variants)
    text = "\n\n".join((figures.table(head, rows), figures.table(state_head, states),
                        figures.table(["target", "measured", "verdict"], targets)))
    return {"variants": variants, "minutes": minutes,
            "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}, text
