# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of `grid` out of its rounds: rows, comparisons, targets, causes, and v1's table beside them."""

from . import figures
from .grid_host import STATIC, VANILLA

# An interval within 1 +- this is called the same: emulated hosts, and timers of 10 us, allow no finer word.
SAME = 0.1
SIDES = ("guest", "wake_to_run", "host", "host_fifo")
# Of the wake-ups that found the vCPU boosted: what a boost does, without those for which there was no budget.
BOOSTED = "wake_to_run_boosted"
PROFILES = ("interactive", "latency")

# Of v1's cover letter: (vanilla, dynamic, static) in us, by (load, interval): 4 cores, 4 vCPUs, real hardware.
V1_AVG = {("idle", 500): (9, 9, 10), ("idle", 1000): (34, 35, 35),
          ("busy", 500): (887, 21, 25), ("busy", 1000): (6335, 45, 38)}
V1_MAX = {("idle", 500): (1577, 1433, 140), ("idle", 1000): (6649, 765, 204),
          ("busy", 500): (216835, 13978, 1728), ("busy", 1000): (199575, 70651, 1537)}
# In its order: of the host v1 gives averages for busy, and the maximum for both.
V1_HOST_AVG = {("busy", 500): (6, 6, 7), ("busy", 1000): (11, 11, 14)}


NOTHING = {"histogram": {}, "count": 0, "sum_us": 0, "max_us": 0}


class Delays:
    """A histogram of delays in us, of one round or of several."""

    def __init__(self, histogram, count, sum_us, max_us):
        self.histogram = {float(us): n for us, n in histogram.items()}
        self.count, self.sum_us, self.max_us = count, sum_us, max_us

    @classmethod
    def of(cls, one):
        """What grid_host wrote: either cyclictest's, or the instrument's."""
        if "cycles" in one:
            return cls(one["histogram"], one["cycles"], one["avg_us"] * one["cycles"], one["max_us"])
        return cls(one["histogram"], one["count"], one["sum_us"], one["max_us"])

    @classmethod
    def merged(cls, many):
        total = cls({}, 0, 0, 0)
        for one in many:
            for us, n in one.histogram.items():
                total.histogram[us] = total.histogram.get(us, 0) + n
            total.count += one.count
            total.sum_us += one.sum_us
            total.max_us = max(total.max_us, one.max_us)
        return total

    def avg(self):
        return self.sum_us / self.count if self.count else 0.0

    def percentile(self, permille):
        """What is above cyclictest's histogram is only known by the maximum."""
        wanted, seen = -(-self.count * permille // 1000), 0
        for us in sorted(self.histogram):
            seen += self.histogram[us]
            if seen >= wanted:
                return us
        return self.max_us

    def json(self):
        if not self.count:
            return {"avg_us": None, "p50_us": None, "p99_us": None, "p999_us": None, "max_us": None, "count": 0}
        return {"avg_us": round(self.avg(), 2), "p50_us": self.percentile(500), "p99_us": self.percentile(990),
                "p999_us": self.percentile(999), "max_us": self.max_us, "count": self.count}


FIGURES = {"avg": Delays.avg, "p50": lambda one: one.percentile(500), "p99": lambda one: one.percentile(990),
           "max": lambda one: one.max_us}
KEYS = {"guest": "guest", "wake_to_run": "wake", "host": "host", "host_fifo": "host_fifo", BOOSTED: "wake_boosted"}


class Report:
    """rounds: as `grid` keeps them, one dict with "conditions" and "cells" each."""

    def __init__(self, rounds):
        self.rounds = len(rounds)
        self.conditions = rounds[0]["conditions"]
        self.cells = {}  # (load, interval, variant): [cell of each round]
        for one in rounds:
            for name, cell in one["cells"].items():
                load, interval_us, variant = name.split("/", 2)
                self.cells.setdefault((load, int(interval_us), variant), []).append(cell)
        self._delays = {(key, side): [Delays.of(cell.get(KEYS[side], NOTHING)) for cell in cells]
                        for key, cells in self.cells.items() for side in (*SIDES, BOOSTED)}
        self.places = list(dict.fromkeys(key[:2] for key in self.cells))
        self.variants = list(dict.fromkeys(key[2] for key in sorted(self.cells, key=self._order)))

    @staticmethod
    def _order(key):
        known = (VANILLA, *PROFILES, STATIC)
        return known.index(key[2]) if key[2] in known else len(known)

    def pooled(self, key, side):
        return Delays.merged(self._delays[key, side])

    def compared(self, place, side, figure, numerator, denominator):
        """Median of per-round ratios with its interval; None if one of them was not measured."""
        over, under = (*place, numerator), (*place, denominator)
        if over not in self.cells or under not in self.cells:
            return None
        pairs = [(one, other) for one, other in zip(self._delays[over, side], self._delays[under, side])
                 if one.count and other.count]
        return figures.ratio([FIGURES[figure](one) for one, _ in pairs], [FIGURES[figure](other) for _, other in pairs])

    def _mean(self, key, name):
        cells = self.cells[key]
        return round(sum(cell[name] for cell in cells) / len(cells), 1)

    def _load_ratio(self, place, variant):
        if place[0] == "idle" or (*place, VANILLA) not in self.cells:
            return None
        return figures.ratio([cell["load_permille"] for cell in self.cells[*place, variant]],
                             [cell["load_permille"] for cell in self.cells[*place, VANILLA]])

    def _account(self, key):
        sums = {}
        for cell in self.cells[key]:
            for name, count in cell["account"].items():
                sums[name] = sums.get(name, 0) + count
        return sums

    def slowest(self, key):
        """{why: (count, us)} of the slowest 1 % of wake-ups of each round together."""
        sums = {}
        for cell in self.cells[key]:
            for why, (count, us) in cell["slowest"].items():
                one = sums.get(why, (0, 0.0))
                sums[why] = (one[0] + count, round(one[1] + us, 1))
        return dict(sorted(sums.items(), key=lambda one: -one[1][1]))

    def row(self, key):
        place, variant = key[:2], key[2]
        against = {f"{side}_{figure}_by_{base}": self.compared(place, side, figure, variant, base)
                   for base in (VANILLA, STATIC) if base != variant
                   for side in (*SIDES, BOOSTED) for figure in ("avg", "p50", "p99")}
        preempted = Delays.merged([Delays.of(cell["preempted"]) for cell in self.cells[key]])
        stint = Delays.merged([Delays.of(cell["stint"]) for cell in self.cells[key]])
        wakes = self.pooled(key, "wake_to_run")
        window_s = sum(cell["window_s"] for cell in self.cells[key])
        return {
            "load": key[0], "interval_us": key[1], "variant": variant, "rounds": len(self.cells[key]),
            **{side: self.pooled(key, side).json() for side in (*SIDES, BOOSTED)},
            "wakes_per_s": round(wakes.count / window_s, 1),
            "boosted_wakes_permille": round(1000 * sum(cell["boosted_wakes"] for cell in self.cells[key])
                                             / max(1, wakes.count)),
            "preempted": preempted.json() | {"per_s": round(preempted.count / window_s, 1)},
            "stint": stint.json(),
            **{name: self._mean(key, name) for name in ("vcpu_permille", "helper_permille", "boosted_permille",
                                                        "load_permille", "foreign_permille", "stolen_permille", "halts_per_s",
                                                        "polled_per_s")},
            "load_of_vanilla": self._load_ratio(place, variant), "account": self._account(key),
            "slowest": {why: {"count": count, "us": us} for why, (count, us) in self.slowest(key).items()},
            "ratios": {name: one for name, one in against.items() if one},
        }

    def json(self):
        return {"rounds": self.rounds, "conditions": self.conditions,
                "rows": [self.row(key) for key in self._sorted()],
                "targets": [{"target": text, "load": place[0], "interval_us": place[1], "measured": one, "verdict": verdict}
                            for place in self.places for text, one, verdict in self.targets(place)]}

    def _sorted(self):
        return [(*place, variant) for place in self.places for variant in self.variants
                if (*place, variant) in self.cells]

    # ---- targets ----

    def targets(self, place):
        """(what, ratio, verdict)"""
        rows = []
        for figure, limit in (("p50", 1.2), ("p99", 1.5)):
            one = self.compared(place, "wake_to_run", figure, "latency", STATIC)
            rows.append((f"wake-to-run {figure}: latency <= {limit} x static", one, figures.target(one, limit)))
        if place[0] == "busy":
            one = self.compared(place, "wake_to_run", "avg", VANILLA, "latency")
            rows.append(("wake-to-run avg: vanilla / latency >= 40", one, figures.target(one, 40, at_most=False)))
        one = self.compared(place, "host", "p99", "latency", VANILLA)
        rows.append(("host SCHED_OTHER p99: latency <= 1.1 x vanilla", one, figures.target(one, 1.1)))
        return [row for row in rows if row[1]]

    # ---- text ----

    def text(self):
        return "\n\n".join(part for part in (
            self._about(), *(self._table(place) for place in self.places), "## Targets", self._targets_table(),
            "## Beside v1", self._v1_table(), "## Who was boosted", self._causes_table(), "## What the slowest 1 % of wake-ups waited for", self._slowest_table(),
        ) if part) + "\n"

    def _about(self):
        known = self.conditions
        lines = [f"{known['seconds']} s per cell and round; medians of per-round ratios [95 % interval]; "
                 f"host: {known['machine']}, {known['cpus']} CPUs, Linux {known['kernel']}; guest: "
                 f"{'KVM' if known['guest_type'] == 'kvm' else 'EMULATION (TCG)'}, {known['vcpus']} vCPU, Linux "
                 f"{known['guest_kernel']}; times in us, shares in permille of one CPU."]
        if known["slow"] > 1:
            lines.append(f"SLOWED {known['slow']} TIMES: cyclictest's intervals are that much longer than they are called, and "
                         f"so are the bursts of profiles and caps, as far as these may be.")
        if "(tcg)" in known["machine"]:
            lines.append("The host itself is emulated: each exit, each switch and each wake-up takes ten times as long as on "
                         "hardware or more. The ratios count, not the microseconds.")
        if known["guest_type"] == "qemu":
            lines.append("No Linux guest boots under KVM here, so the guest is emulated: its timer goes through QEMU's main "
                         "thread, which runs as FIFO in all rows. Wake-to-run counts its vCPU thread's waits for QEMU's "
                         "locks, too.")
        if min(map(len, self.cells.values())) < figures.ROUNDS_FOR_VERDICT:
            lines.append(f"Where there are fewer than {figures.ROUNDS_FOR_VERDICT} rounds, no verdict is given.")
        return "\n".join(lines)

    def _table(self, place):
        head = ["variant", "wake-to-run avg", "p50", "p99", "p99.9", "max", "guest avg", "p50", "p99", "max",
                "host avg", "p99", "max", "host FIFO avg", "p99", "vCPU", "boosted", "load of vanilla",
                "vanilla / it, wake-to-run avg", "verdict", "host p99 / vanilla", "verdict"]
        rows = []
        for variant in self.variants:
            key = (*place, variant)
            if key not in self.cells:
                continue
            guest, wake, host, fifo = (self.pooled(key, side).json() for side in SIDES)
            better = self.compared(place, "wake_to_run", "avg", VANILLA, variant)
            host_ratio = self.compared(place, "host", "p99", variant, VANILLA)
            load = self._load_ratio(place, variant)
            rows.append([
                variant, *(wake[name] for name in ("avg_us", "p50_us", "p99_us", "p999_us", "max_us")),
                *(guest[name] for name in ("avg_us", "p50_us", "p99_us", "max_us")),
                *(host[name] for name in ("avg_us", "p99_us", "max_us")), fifo["avg_us"], fifo["p99_us"],
                self._mean(key, "vcpu_permille"), self._mean(key, "boosted_permille"),
                round(1000 * load["ratio"]) if load else None,
                *((None, None, None, None) if variant == VANILLA else
                  (better, figures.verdict(better, less_is_better=False, same=SAME),
                   host_ratio, figures.verdict(host_ratio, same=SAME)))])
        spinners = {"idle": "idle host", "busy-1": "1 spinner per CPU", "busy-2": "2 spinners per CPU",
                    "busy": "3 spinners per CPU"}
        rounds = len(self.cells[*place, self.variants[0]])
        return f"## {place[0]}, {place[1]} us: {spinners[place[0]]}, {rounds} rounds\n\n{figures.table(head, rows)}"

    def _targets_table(self):
        return figures.table(["load", "interval", "target", "measured", "verdict"],
                             [[*place, *target] for place in self.places for target in self.targets(place)])

    def _v1_table(self):
        head = ["load", "interval", "figure", "v1: vanilla / dynamic", "v1: vanilla / static"]
        ours = [variant for variant in self.variants if variant != VANILLA]
        head += [f"vanilla / {variant}" for variant in ours]
        rows = []
        for place in self.places:
            for text, side, figure, known in (("guest avg", "guest", "avg", V1_AVG), ("guest max", "guest", "max", V1_MAX),
                                              ("wake-to-run avg", "wake_to_run", "avg", {}),
                                              ("host avg", "host", "avg", V1_HOST_AVG)):
                vanilla, dynamic, static = known.get(place, (None, None, None))
                if place not in V1_AVG:
                    continue
                rows.append([*place, text, vanilla / dynamic if vanilla else None, vanilla / static if vanilla else None,
                             *(self.compared(place, side, figure, VANILLA, variant) for variant in ours)])
        return figures.table(head, rows) if rows else "v1 has no such load."

    def _causes_table(self):
        """Were they boosted when they were woken, why not, and what did that do?"""
        rows = []
        for key in self._sorted():
            row = self.row(key)
            if key[2] == VANILLA:
                continue
            one, account = row[BOOSTED], row["account"]
            denied = ", ".join(f"{name.removeprefix('denied ')} {count}" for name, count in
                               sorted(account.items(), key=lambda item: -item[1])
                               if name.startswith(("denied ", "breaker ")))
            rows.append([*key, row["wakes_per_s"], row["stint"]["avg_us"], row["vcpu_permille"], row["boosted_permille"],
                         row["boosted_wakes_permille"], one["p50_us"], one["p99_us"],
                         row["ratios"].get(f"{BOOSTED}_p50_by_{STATIC}"), row["ratios"].get(f"{BOOSTED}_p99_by_{STATIC}"),
                         account.get("throttles_total"), denied or None])
        return figures.table(["load", "interval", "variant", "wake-ups/s", "avg run us", "vCPU", "boosted",
                              "boosted when woken, permille", "these: p50", "p99", "p50 / static", "p99 / static",
                              "boosts ended by a bucket", "denied (decisions)"], rows)

    def _slowest_table(self):
        rows = []
        for key in self._sorted():
            causes = self.slowest(key)
            total = sum(count for count, _ in causes.values())
            shown = [f"{why}: {100 * count / total:.0f} %, {us / count:.0f} us" for why, (count, us) in causes.items()]
            row = self.row(key)
            rows.append([*key, row["polled_per_s"], row["preempted"]["per_s"], row["stolen_permille"], "; ".join(shown[:4])])
        return figures.table(["load", "interval", "variant", "halts polled/s", "preempted/s", "stolen by a hypervisor",
                              "who had the CPU (share of them, avg wait)"], rows)
