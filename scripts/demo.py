# SPDX-License-Identifier: GPL-2.0-or-later
"""The measuring half of scripts/demo: see `scripts/demo --help`."""

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests")]

# pylint: disable=wrong-import-position
from demo_story import Story  # noqa: E402
from rig import proc, rtbudget, stats, variants  # noqa: E402
from rig.daemon import Daemon, installed_profile  # noqa: E402
from rig.deadman import Deadman  # noqa: E402
from rig.guest import Guest, guest_image  # noqa: E402
from rig.kvm import kvm_works  # noqa: E402
from rig.libvirtd import Libvirtd, running_domains, virsh  # noqa: E402
from rig.load import PER_CPU, Load  # noqa: E402
from rig.measure import measure  # noqa: E402
from rig.proc import RigError  # noqa: E402

# Besides SECONDS one measurement settles, starts two cyclictests and waits for their histograms.
OVERHEAD_S = 2.5
CLEAN_UP_S = 60
# Left of the time at the end of the last round.
SPARE_S = 10
# The second guest's boot, and the end of the first.
ANOTHER_GUEST_S = 15
STORY_S = 30
# cyclictest on the host takes about 2 % itself.
FOREIGN_PERMILLE = 80
DOMAIN = "pvsched-demo"

KVM_LINE = "KVM: the guest runs on the hardware, so the figures are those of an ordinary VM on this host."
EMULATION_LINE = (
    "EMULATION (TCG), since no Linux guest boots under KVM here: the ratios between the rows count, not the "
    "microseconds. QEMU's main thread drives the emulated guest's timer. So it runs as FIFO in all rows except "
    f"{variants.PLAIN}: the rows compare the vCPUs only.")


class Interrupted(Exception):
    """A signal asks to stop."""


def parse_arguments():
    parser = argparse.ArgumentParser(prog="demo", add_help=False)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--variants", default=",".join(variants.DEFAULT))
    parser.add_argument("--vcpus", type=int, default=1)
    parser.add_argument("--no-story", dest="story", action="store_false")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--build-dir", required=True)
    parser.add_argument("--limit-s", type=float, required=True)
    args = parser.parse_args()
    args.variants = args.variants.split(",")
    for variant in args.variants:
        if variant not in variants.ALL:
            parser.error(f"no variant '{variant}'; there are: {', '.join(variants.ALL)}")
    if not 1 <= args.vcpus <= 16:
        parser.error("--vcpus: 1 to 16")
    for name, most in (("rounds", 1000), ("seconds", 600)):
        value = getattr(args, name)
        if value is not None and not 1 <= value <= most:
            parser.error(f"--{name}: 1 to {most}")
    if args.rounds or args.seconds:  # asked for: the limit grows
        wanted = (args.rounds or 5) * len(args.variants) * ((args.seconds or 3) + 2 * OVERHEAD_S)
        args.limit_s = max(args.limit_s, wanted + 60 + STORY_S + ANOTHER_GUEST_S)
    args.rounds, args.seconds = args.rounds or 5, args.seconds or 3
    return args


def install_signals(limit_s):
    """The first of these signals unwinds everything. Another one meanwhile leaves that to the dead-man."""
    caught = []

    def handler(number, _):
        if caught:
            os._exit(128 + number)
        caught.append(number)
        signal.signal(signal.SIGALRM, handler)
        signal.alarm(CLEAN_UP_S)
        raise Interrupted("out of time" if number == signal.SIGALRM else signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, handler)
    signal.alarm(max(1, int(limit_s)))


def say(text=""):
    print(text, flush=True)


class Demo:
    def __init__(self, args, deadline):
        self.args = args
        self.deadline = deadline
        self.results = {}  # variant: a Measurement of each round
        self.shown = set()
        self.daemon = self.deadman = None
        self.accelerator = None
        self.interval_us = variants.INTERVAL_US  # of cyclictest in the guest

    def run(self):
        image = guest_image()
        kind = "kvm" if kvm_works(image) else "qemu"
        self.accelerator = "kvm" if kind == "kvm" else "tcg"
        say(KVM_LINE if kind == "kvm" else EMULATION_LINE)
        if kind == "kvm":
            self.args.variants = [name for name in self.args.variants if name != variants.PLAIN]
        with contextlib.ExitStack() as stack:
            self.deadman = deadman = stack.enter_context(Deadman())
            libvirtd = stack.enter_context(Libvirtd(deadman))
            say("libvirtd: started here, stopped at the end" if libvirtd.started else "libvirtd: it runs already")
            self.refuse_others()
            if set(self.args.variants) & {*variants.PROFILES, *variants.REQUESTING}:
                self.daemon = stack.enter_context(Daemon(self.args.build_dir, self.daemon_config(), deadman))
            self.measure_guests(kind, image)
            say("stopping everything else that was started")

    def measure_guests(self, kind, image):
        """First an unmodified domain; then one with the memory through which a guest makes requests."""
        plain = [name for name in self.args.variants if name not in variants.REQUESTING]
        asking = [name for name in self.args.variants if name in variants.REQUESTING]
        later_s = ANOTHER_GUEST_S + self.args.rounds * len(asking) * (self.args.seconds + OVERHEAD_S) if asking else 0
        for names, deadline in ((plain, self.deadline - later_s), (asking, self.deadline)):
            if names:
                with Guest(DOMAIN, type=kind, vcpus=self.args.vcpus, image=image, deadman=self.deadman,
                           page=names is asking) as guest:
                    self.measure_guest(guest, names, deadline)

    def measure_guest(self, guest, names, deadline):
        say()
        say(f"guest: {DOMAIN}, {self.args.vcpus} vCPU, Linux {guest.command('uname')['release']}" +
            (", with an ivshmem device: the memory of the guest page" if guest.page else ""))
        self.refuse_other_boosts()
        if self.daemon:
            self.wait_discovered(guest)
        with Load(next(iter(guest.vcpu_tids().values())), deadman=self.deadman) as load, \
                variants.main_thread_budget(guest, self.deadman):
            load.pause()
            say(f"load: {PER_CPU} spinners on each of {os.cpu_count()} CPUs, each in a VM group beside the guest's")
            if guest.page:
                self.wait_negotiated(guest)
            xml = virsh("dumpxml", DOMAIN)
            if self.daemon and not guest.page and self.args.story:
                self.tell_story(guest, load)
            self.measure_rounds(guest, load, names, deadline)
            if not guest.page:
                self.say_unchanged(xml)

    def tell_story(self, guest, load):
        story = Story(guest, load, self.daemon, self.deadman, self.args.seconds)
        story.tell()
        self.interval_us = story.interval_us

    def refuse_others(self):
        others = running_domains()
        if others and not self.args.force:
            raise RigError(f"other domains run: {', '.join(others)}. The demo loads every CPU of this host for minutes "
                           f"and would disturb them: shut them down, or use --force")

    def refuse_other_boosts(self):
        """A pvschedd that is installed here finds the guest, too. It may observe it, and does so as installed."""
        profile = installed_profile(self.args.build_dir, DOMAIN)
        if profile not in (None, "off", "observe"):
            raise RigError(f"the pvschedd of this host gives the demo's guest the profile {profile}, so its boosts would be "
                           f"measured, too. Switch them off meanwhile: pvschedctl disable, and afterwards: pvschedctl enable")

    def daemon_config(self):
        grant = rtbudget.needed()
        if grant:
            say("RT_GROUP_SCHED: this kernel refuses FIFO in groups without a real-time budget; the demo's pvschedd runs "
                "with grant_rt_budget, and the demo grants budgets for what it makes FIFO itself; all are taken back")
        return {"host": {"grant_rt_budget": grant}, "profiles": variants.WORK_PROFILE, "default_profile": "observe"}

    def wait_discovered(self, guest):
        """Waits until pvschedd knows every vCPU thread of the guest."""
        tids = set(guest.vcpu_tids().values())
        proc.wait_for(lambda: tids <= self.daemon.known_tids(), 10, f"pvschedd to find the vCPUs of {DOMAIN}", step=0.2)

    def wait_negotiated(self, guest):
        """Waits until pvschedd has answered the guest's hello, as the command `page` tells."""
        state = proc.wait_for(lambda: (answer := guest.command("page"))["state"] == "enabled" and answer, 10,
                              "pvschedd to answer the guest's hello", step=0.2)
        say(f"guest page: enabled, page {state['page']} of {state['page_count']}")

    def measure_rounds(self, guest, load, names, deadline):
        """Each round tells how many more there is time for."""
        rounds, number = self.args.rounds, 0
        say(f"measuring: rounds of {', '.join(names)}; {self.args.seconds} s each")
        while number < rounds:
            begin = time.monotonic()
            # The order rotates with each round, so that no variant always follows the same other one.
            turn = number % len(names)
            results = {}
            for variant in names[turn:] + names[:turn]:
                results[variant] = self.measure_one(variant, guest, load)
            for variant, result in results.items():
                self.results.setdefault(variant, []).append(result)
            end = time.monotonic()
            number += 1
            rounds = min(rounds, number + max(0, int((deadline - end - SPARE_S) / (end - begin))))
            say(f"round {number} of {rounds}: guest avg us " +
                ", ".join(f"{name} {results[name].guest.avg_us():.0f}" for name in names))

    def measure_one(self, variant, guest, load):
        tids = list(guest.vcpu_tids().values())
        boosted_ns = (lambda: self.daemon.boosted_ns(tids)) if self.daemon else (lambda: 0)
        with variants.applied(variant, guest, self.daemon, self.deadman):
            result = measure(guest, load, variants.command(variant, self.args.seconds, self.interval_us), self.args.seconds,
                             boosted_ns, loaded=variant != variants.IDLE)
            if variant in ("latency", variants.REQUESTS) and variant not in self.shown:
                self.shown.add(variant)
                say(f"--- pvschedctl show {DOMAIN}, with the profile latency ---")
                say(self.daemon.ctl("show", DOMAIN).rstrip())
                say("---")
        if variant == variants.STATIC:
            result.boosted_permille = result.vcpu_permille  # all of it, and not the daemon's doing
        return result

    def say_unchanged(self, xml):
        if virsh("dumpxml", DOMAIN) != xml:
            say("WRONG: the domain's XML changed while it was measured")
        elif "tainted" in virsh("dominfo", DOMAIN).lower():
            say("WRONG: libvirt calls the domain tainted")
        else:
            say("the domain's XML is byte for byte what it was, and it is not tainted")


class Report:
    def __init__(self, results):
        self.names = sorted(results, key=variants.ALL.index)
        self.results = results
        self.rows = {name: self._row(name) for name in self.names}

    def _of(self, name, field):
        return [getattr(result, field) for result in self.results[name]]

    def _base(self, name):
        """The variant of the same guest that it is compared with."""
        base = variants.WORK if name in variants.REQUESTING else variants.UNTOUCHED
        return base if base in self.names else name

    def _row(self, name):
        base = self._base(name)
        ratio = stats.median_ratio(self._of(name, "load_permille"), self._of(base, "load_permille"))
        return {"guest": stats.merge(self._of(name, "guest")).summary(),
                "host": stats.merge(self._of(name, "host")).summary(),
                "boosted_permille": round(statistics.fmean(self._of(name, "boosted_permille")), 1),
                "load_permille_of_untouched": round(1000 * ratio), "rounds": len(self.results[name])}

    def say_table(self):
        columns = ("avg_us", "p50_us", "p99_us", "p999_us", "max_us")
        head = ("avg", "p50", "p99", "p99.9", "max")
        say()
        say("wake-up latency in us of all rounds together; boosted: permille of one CPU's time that vCPUs ran as real-time threads;")
        say(f"load: CPU time that the spinners got, permille of {variants.UNTOUCHED}; for {variants.REQUESTS}: of {variants.WORK}")
        say(f"{'':16}|{'in the guest':^43}|{'cyclictest on the host (SCHED_OTHER)':^43}|{'':>7}{'':>6}")
        say(f"{'':16}|{''.join(f'{name:>8}' for name in head)}   |{''.join(f'{name:>8}' for name in head)}   "
            f"|{'boosted':>7}{'load':>6}")
        for name, row in self.rows.items():
            cells = "   |".join("".join(f"{row[side][column]:8.0f}" for column in columns) for side in ("guest", "host"))
            say(f"{name:16}|{cells}   |{row['boosted_permille']:7.0f}{row['load_permille_of_untouched']:6}")
        say()

    def say_quiet(self):
        """Warns where other work on the machine makes the figures noisy."""
        most = max(result.foreign_permille for results in self.results.values() for result in results)
        if most > FOREIGN_PERMILLE * os.cpu_count():
            say(f"NOTE: other work on this host took up to {most / 10 / os.cpu_count():.0f} % of its CPU time while the demo "
                f"measured: the figures are noisy, above all the load's; repeat the demo on a quiet host")

    def write_json(self, path, extra):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"variants": self.rows, **extra}, file, indent=1)
            file.write("\n")

    def verdict(self):
        parts = []
        if variants.UNTOUCHED in self.names:
            parts += [self._verdict_of(name) for name in self.names if name in (*variants.PROFILES, variants.STATIC)]
        if set(variants.REQUESTING) <= set(self.names):
            parts.append(self._verdict_of_asking())
        if not parts:
            return f"verdict: none, since neither {variants.UNTOUCHED} nor {' and '.join(variants.REQUESTING)} were measured"
        return "verdict: " + "; ".join(parts)

    def compare_asking(self):
        """Compares guest-requests with latency-work: ratios, as medians over the rounds with their intervals."""
        def latency(figure):
            return stats.ratio(*([figure(latencies) for latencies in self._of(name, "guest")]
                                 for name in (variants.REQUESTS, variants.WORK)))

        return {"avg": latency(stats.Latencies.avg_us), "p50": latency(lambda one: one.percentile(500)),
                "p99": latency(lambda one: one.percentile(990)),
                "boosted": stats.ratio(*(self._of(name, "boosted_permille") for name in (variants.REQUESTS, variants.WORK))),
                "load": stats.ratio(*(self._of(name, "load_permille") for name in (variants.REQUESTS, variants.WORK)))}

    def _verdict_of_asking(self):
        compared = self.compare_asking()
        avg, boosted = compared["avg"], compared["boosted"]
        if avg is None or boosted is None:
            return f"{variants.REQUESTS}: nothing to compare: {variants.WORK} was never boosted"
        if avg["low"] > 1:
            latency = "MORE average wake-up latency"
        elif avg["high"] < 1:
            latency = "less average wake-up latency"
        else:
            latency = "no worse average wake-up latency"
        permille = [self.rows[name]["boosted_permille"] for name in (variants.REQUESTS, variants.WORK)]
        return (f"{variants.REQUESTS}: {latency} than {variants.WORK} ({avg['ratio']:.2f} times, {avg['low']:.2f} to "
                f"{avg['high']:.2f}), boosted {permille[0]:.0f} permille instead of {permille[1]:.0f} "
                f"({boosted['ratio']:.2f} times, {boosted['low']:.2f} to {boosted['high']:.2f})")

    def _gain(self, name, column):
        """How many times less than untouched, by the figures of the table."""
        base, own = (self.rows[row]["guest"][column] for row in (variants.UNTOUCHED, name))
        return base / own if own else 0

    def _verdict_of(self, name):
        average, tail = (self._gain(name, column) for column in ("avg_us", "p99_us"))
        loss = (1000 - self.rows[name]["load_permille_of_untouched"]) / 10
        cost = f"costs the load {loss:.1f} % of its CPU time" if loss > 0 else "costs the load nothing measurable"
        if average < 1.1:
            return f"{name}: no less average wake-up latency in the guest than untouched ({average:.2f} times), {cost}"
        text = f"{name}: {average:.1f} times less average wake-up latency in the guest than untouched, {tail:.1f} times less p99"
        return f"{text}, {cost}"


def main():
    args = parse_arguments()
    install_signals(args.limit_s)
    demo = Demo(args, time.monotonic() + args.limit_s)
    try:
        demo.run()
    except RigError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Interrupted as error:
        print(f"demo: stopped by {error}; everything it started is removed", file=sys.stderr)
        return 130
    finally:
        signal.alarm(0)
    if not demo.results:
        print("demo: no time for a single round", file=sys.stderr)
        return 1
    report = Report(demo.results)
    report.say_table()
    report.say_quiet()
    if args.json:
        asking = {"guest_requests_against_latency_work": report.compare_asking()} \
            if set(variants.REQUESTING) <= set(report.names) else {}
        report.write_json(args.json, {"rounds": max(map(len, demo.results.values())), "seconds": args.seconds,
                                      "interval_us": demo.interval_us, "rt_interval_us": variants.RT_PERIOD_US,
                                      "vcpus": args.vcpus, "accelerator": demo.accelerator, **asking})
    say(report.verdict())
    return 0


if __name__ == "__main__":
    sys.exit(main())
