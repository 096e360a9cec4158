# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures from cyclictest's histograms and from rounds of them."""

import random
import statistics

_RESAMPLES = 2000


class Latencies:
    """Latencies of one or more measurements of cyclictest, in us.

    cyclictest counts what is above its histogram's range only in cycles, average and maximum; for a percentile
    that falls there the range's end is given: a lower bound.
    """

    def __init__(self):
        self.histogram = {}  # us -> count
        self.cycles = 0
        self.max_us = 0
        self._sum_us = 0

    def add(self, histogram, cycles, avg_us, max_us):
        for us, count in histogram.items():
            self.histogram[int(us)] = self.histogram.get(int(us), 0) + count
        self.cycles += cycles
        self.max_us = max(self.max_us, max_us)
        self._sum_us += avg_us * cycles

    def avg_us(self):
        return self._sum_us / self.cycles if self.cycles else 0.0

    def percentile(self, permille, range_us=50_000):
        """The smallest latency that permille per mille of the cycles do not exceed."""
        wanted, seen = -(-self.cycles * permille // 1000), 0
        for us in sorted(self.histogram):
            seen += self.histogram[us]
            if seen >= wanted:
                return us
        return min(self.max_us, range_us)

    def summary(self):
        return {"avg_us": round(self.avg_us(), 1), "p50_us": self.percentile(500), "p99_us": self.percentile(990),
                "p999_us": self.percentile(999), "max_us": self.max_us, "cycles": self.cycles}


def from_guest(answer):
    """Latencies of one answer of the guest's `cyclictest` or `rt` command."""
    latencies = Latencies()
    latencies.add(answer["histogram"], answer["cycles"], answer["avg_us"], answer["max_us"])
    return latencies


def from_json(report):
    """Latencies of a report of `cyclictest --json -h`, all its threads together."""
    latencies = Latencies()
    for thread in report["thread"].values():
        latencies.add(thread["histogram"], thread["cycles"], thread["avg"], thread["max"])
    return latencies


def merge(many):
    total = Latencies()
    for one in many:
        total.add(one.histogram, one.cycles, one.avg_us(), one.max_us)
    return total


def median_ratio(numerators, denominators):
    """Median over rounds of numerator / denominator: noise that lasts for rounds cancels out."""
    ratios = [a / b for a, b in zip(numerators, denominators) if b]
    return statistics.median(ratios) if ratios else 0.0


def ratio(numerators, denominators, seed=1):
    """Median over rounds of numerator / denominator, with the 95 % interval of a bootstrap over rounds."""
    ratios = [a / b for a, b in zip(numerators, denominators) if b]
    if not ratios:
        return None
    rng = random.Random(seed)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    return {"ratio": round(statistics.median(ratios), 4), "low": round(medians[_RESAMPLES * 25 // 1000], 4),
            "high": round(medians[_RESAMPLES * 975 // 1000 - 1], 4), "rounds": len(ratios)}
