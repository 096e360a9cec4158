# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures out of rounds: percentiles, medians of per-round ratios with their confidence, tables."""

import array

from rig.stats import ratio  # noqa: F401  for all that say figures.ratio()

ROUNDS_FOR_VERDICT = 10


def load(path, typecode):
    """The words a benchmark program wrote, in order."""
    words = array.array(typecode)
    with open(path, "rb") as file:
        words.frombytes(file.read())
    return words


def percentile(ordered, permille):
    """The smallest that permille per mille do not exceed; of a sorted sequence."""
    return ordered[max(0, -(-len(ordered) * permille // 1000) - 1)] if ordered else 0


def summary(samples_ns):
    """avg, p50, p99, p99.9 and maximum in us."""
    ordered = sorted(samples_ns)
    us = {"avg_us": sum(ordered) / len(ordered) if ordered else 0, "p50_us": percentile(ordered, 500),
          "p99_us": percentile(ordered, 990), "p999_us": percentile(ordered, 999),
          "max_us": ordered[-1] if ordered else 0}
    return {key: round(value / 1000, 2) for key, value in us.items()}


def verdict(compared, less_is_better=True, same=0.01):
    """better, worse, same (the interval lies within 1 +- `same`), or cannot tell."""
    if compared is None or compared["rounds"] < ROUNDS_FOR_VERDICT:
        return "cannot tell"
    low, high = compared["low"], compared["high"]
    if 1 - same <= low and high <= 1 + same:
        return "same"
    if high < 1:
        return "better" if less_is_better else "worse"
    if low > 1:
        return "worse" if less_is_better else "better"
    return "cannot tell"


def target(compared, limit, at_most=True):
    """met, missed, or cannot tell whether the ratio lies on the right side of the limit."""
    if compared is None or compared["rounds"] < ROUNDS_FOR_VERDICT:
        return "cannot tell"
    if (compared["high"] <= limit) if at_most else (compared["low"] >= limit):
        return "met"
    if (compared["low"] > limit) if at_most else (compared["high"] < limit):
        return "missed"
    return "cannot tell"


def show(value):
    if isinstance(value, dict):
        return f"{show(value['ratio'])} [{show(value['low'])}, {show(value['high'])}]"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.4g}"
    return "-" if value is None else str(value)


def table(head, rows):
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(show(cell) for cell in line) + " |" for line in lines)
