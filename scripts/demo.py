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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))

# pylint: disable=wrong-import-position
from rig import proc, rtbudget, stats, variants  # noqa: E402
from rig.daemon import Daemon  # noqa: E402
from rig.deadman import Deadman  # noqa: E402
from rig.guest import Guest, guest_image  # noqa: E402
from rig.kvm import kvm_works  # noqa: E402
from rig.libvirtd import Libvirtd, running_domains, virsh  # noqa: E402
from rig.load import PER_CPU, Load  # noqa: E402
from rig.measure import INTERVAL_US, measure  # noqa: E402
from rig.proc import RigError  # noqa: E402

# Besides SECONDS one measurement settles, starts two cyclictests and waits for their histograms.
OVERHEAD_S = 2.5
CLEAN_UP_S = 60
# cyclictest on the host takes about 2 % itself.
FOREIGN_PERMILLE = 80
DOMAIN = "pvsched-demo"

KVM_LINE = ("KVM: the guest runs on the hardware; what is measured is what an ordinary VM on this host would see.")
EMULATION_LINE = (
    "EMULATION (TCG), since no Linux guest boots under KVM here: the ratios between the rows count, not the "
    "microseconds. The emulated guest's timer goes through QEMU's main thread, which therefore runs as FIFO in all "
    f"rows but {variants.PLAIN}, so that the rows compare the vCPUs only.")


class Interrupted(Exception):
    """A signal asks to stop."""


def parse_arguments():
    parser = argparse.ArgumentParser(prog="demo", add_help=False)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--variants", default=",".join(variants.DEFAULT))
    parser.add_argument("--vcpus", type=int, default=1)
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
    if args.rounds or args.seconds:  # asked for: takes what it takes
        wanted = (args.rounds or 5) * len(args.variants) * ((args.seconds or 3) + 2 * OVERHEAD_S)
        args.limit_s = max(args.limit_s, wanted + 60)
    args.rounds, args.seconds = args.rounds or 5, args.seconds or 3
    return args


def install_signals(limit_s):
    """Any of these unwinds everything once; while it is unwound another one leaves it to the dead-man."""
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
        self.rounds = []  # {variant: Measurement}
        self.shown = False
        self.daemon = self.deadman = None
        self.accelerator = None

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
            say("libvirtd: started here, stopped at the end" if libvirtd.started else "libvirtd: the one that runs")
            self.refuse_others()
            if set(self.args.variants) & set(variants.PROFILES):
                self.daemon = stack.enter_context(Daemon(self.args.build_dir, self.daemon_config(), deadman))
            guest = stack.enter_context(Guest(DOMAIN, type=kind, vcpus=self.args.vcpus, image=image, deadman=deadman))
            say(f"guest: {DOMAIN}, {self.args.vcpus} vCPU, Linux {guest.command('uname')['release']}")
            if self.daemon:
                self.wait_discovered(guest)
            load = stack.enter_context(Load(next(iter(guest.vcpu_tids().values())), deadman=deadman))
            load.pause()
            say(f"load: {PER_CPU} spinners on each of {os.cpu_count()} CPUs, each a VM group beside the guest's")
            say(f"measuring: {self.args.rounds} rounds of {', '.join(self.args.variants)}; {self.args.seconds} s and "
                f"{INTERVAL_US} us interval each")
            stack.enter_context(variants.main_thread_budget(guest, deadman))
            xml = virsh("dumpxml", DOMAIN)
            self.measure_rounds(guest, load)
            self.say_unchanged(xml)
            say("stopping the load, the guest and what else was started")

    def refuse_others(self):
        others = running_domains()
        if others and not self.args.force:
            raise RigError(f"other domains run: {', '.join(others)}. The demo loads every CPU of this host for minutes "
                           f"and would disturb them: shut them down, or use --force")

    def daemon_config(self):
        grant = rtbudget.needed()
        if grant:
            say("RT_GROUP_SCHED: this kernel refuses FIFO in groups without a real-time budget; the demo's pvschedd runs "
                "with grant_rt_budget, and the demo grants budgets for what it makes FIFO itself; all are put back")
        return {"host": {"grant_rt_budget": grant}, "default_profile": "observe"}

    def wait_discovered(self, guest):
        """Until pvschedd knows every vCPU thread of the guest."""
        tids = set(guest.vcpu_tids().values())
        proc.wait_for(lambda: tids <= self.daemon.known_tids(), 10, f"pvschedd to find the vCPUs of {DOMAIN}", step=0.2)

    def measure_rounds(self, guest, load):
        slowest = 0.0
        for number in range(self.args.rounds):
            begin = time.monotonic()
            if self.deadline - begin < slowest + 20:
                say(f"out of time after {number} of {self.args.rounds} rounds")
                break
            # The order turns with each round, so that no variant always follows the same other one.
            turn = number % len(self.args.variants)
            results = {}
            for variant in self.args.variants[turn:] + self.args.variants[:turn]:
                results[variant] = self.measure_one(variant, guest, load)
            self.rounds.append(results)
            slowest = max(slowest, time.monotonic() - begin)
            say(f"round {number + 1}: guest avg us " +
                ", ".join(f"{name} {results[name].guest.avg_us():.0f}" for name in self.args.variants))

    def measure_one(self, variant, guest, load):
        tids = list(guest.vcpu_tids().values())
        elevated_ns = (lambda: self.daemon.elevated_ns(tids)) if self.daemon else (lambda: 0)
        with variants.applied(variant, guest, self.daemon, self.deadman):
            result = measure(guest, load, self.args.seconds, elevated_ns, loaded=variant != variants.IDLE)
            if variant == "latency" and not self.shown:
                self.shown = True
                say(f"--- pvschedctl show {DOMAIN}, with the profile latency ---")
                say(self.daemon.ctl("show", DOMAIN).rstrip())
                say("---")
        if variant == variants.STATIC:
            result.elevated_permille = result.vcpu_permille  # all of it, and not the daemon's doing
        return result

    def say_unchanged(self, xml):
        if virsh("dumpxml", DOMAIN) != xml:
            say("WRONG: the domain's XML changed while it was measured")
        elif "tainted" in virsh("dominfo", DOMAIN).lower():
            say("WRONG: libvirt calls the domain tainted")
        else:
            say("the domain's XML is byte for byte what it was, and it is not tainted")


class Report:
    def __init__(self, rounds):
        self.names = list(rounds[0])
        self.names.sort(key=variants.ALL.index)
        self.rounds = rounds
        self.rows = {name: self._row(name) for name in self.names}

    def _of(self, name, field):
        return [getattr(results[name], field) for results in self.rounds]

    def _row(self, name):
        base = variants.UNTOUCHED if variants.UNTOUCHED in self.names else self.names[0]
        ratio = stats.median_ratio(self._of(name, "load_permille"), self._of(base, "load_permille"))
        return {"guest": stats.merge(self._of(name, "guest")).summary(),
                "host": stats.merge(self._of(name, "host")).summary(),
                "elevated_permille": round(statistics.fmean(self._of(name, "elevated_permille")), 1),
                "load_permille_of_untouched": round(1000 * ratio)}

    def say_table(self):
        columns = ("avg_us", "p50_us", "p99_us", "p999_us", "max_us")
        head = ("avg", "p50", "p99", "p99.9", "max")
        say()
        say("wake-up latency in us of all rounds together; elevated: permille of one CPU's time that vCPUs ran as real-time threads;")
        say("load: CPU time that the spinners got, permille of untouched")
        say(f"{'':16}|{'cyclictest in the guest':^43}|{'cyclictest on the host (SCHED_OTHER)':^43}|{'ele-':>7}{'':>6}")
        say(f"{'':16}|{''.join(f'{name:>8}' for name in head)}   |{''.join(f'{name:>8}' for name in head)}   "
            f"|{'vated':>7}{'load':>6}")
        for name, row in self.rows.items():
            cells = "   |".join("".join(f"{row[side][column]:8.0f}" for column in columns) for side in ("guest", "host"))
            say(f"{name:16}|{cells}   |{row['elevated_permille']:7.0f}{row['load_permille_of_untouched']:6}")
        say()

    def say_quiet(self):
        """Figures of a machine that has other things to do are worth less: say so."""
        most = max(result.foreign_permille for results in self.rounds for result in results.values())
        if most > FOREIGN_PERMILLE * os.cpu_count():
            say(f"NOTE: other work on this host took up to {most / 10 / os.cpu_count():.0f} % of its CPU time while the demo "
                f"measured: the figures are noisy, above all the load's; repeat it on a quiet host")

    def write_json(self, path, extra):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"variants": self.rows, **extra}, file, indent=1)
            file.write("\n")

    def verdict(self):
        if variants.UNTOUCHED not in self.names:
            return "verdict: none, since untouched was not measured"
        parts = [self._verdict_of(name) for name in self.names if name in (*variants.PROFILES, variants.STATIC)]
        return "verdict: " + "; ".join(parts)

    def _gain(self, name, figure):
        """How many times less than untouched, as the median over the rounds."""
        return stats.median_ratio([figure(latencies) for latencies in self._of(variants.UNTOUCHED, "guest")],
                                  [figure(latencies) for latencies in self._of(name, "guest")])

    def _verdict_of(self, name):
        average = self._gain(name, stats.Latencies.avg_us)
        tail = self._gain(name, lambda latencies: latencies.percentile(990))
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
    if not demo.rounds:
        print("demo: no time for a single round", file=sys.stderr)
        return 1
    report = Report(demo.rounds)
    report.say_table()
    report.say_quiet()
    if args.json:
        report.write_json(args.json, {"rounds": len(demo.rounds), "seconds": args.seconds, "interval_us": INTERVAL_US,
                                      "vcpus": args.vcpus, "accelerator": demo.accelerator})
    say(report.verdict())
    return 0


if __name__ == "__main__":
    sys.exit(main())
