# SPDX-License-Identifier: GPL-2.0-or-later
"""pages: how the reader copies guest pages that are due together: by pread(), or by one submission to an io_uring."""

import json
import os
import statistics
import sys

from rig import proc

from . import figures

PAGES = (1, 64, 1000)
_COPIES = 200_000  # of pages, per measurement
VARIANTS = ("pread", "io_uring")
KEYS = ("p50_ns", "p99_ns", "cpu_ns")


def arguments(_parser):
    pass


def measure(_scene, options, rounds):
    program = os.path.join(options.build, "tests/bench/bench-pages")
    for number in range(options.rounds):
        for pages in PAGES:
            batches = (_COPIES // 20 if options.quick else _COPIES) // max(pages, 10)
            rounds.setdefault(pages, []).append(json.loads(proc.run(program, str(pages), str(batches), timeout=300)))
        print(f"bench: pages: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    return any(rounds.values())


def report(rounds, _options):
    head = ["pages", "by", "p50 us", "p99 us", "CPU us", "p50, io_uring / pread", "CPU, io_uring / pread"]
    rows, cells = [], {}
    for pages, runs in rounds.items():
        ratios = {key: figures.ratio(*([run[variant][key] for run in runs] for variant in ("io_uring", "pread")))
                  for key in KEYS}
        for variant in VARIANTS:
            medians = {key: statistics.median(run[variant][key] for run in runs) for key in KEYS}
            shown = [_text(ratios[key]) if variant == "io_uring" else "" for key in ("p50_ns", "cpu_ns")]
            rows.append([pages, variant, *(round(medians[key] / 1000, 2) for key in KEYS), *shown])
        cells[str(pages)] = {"runs": runs, "ratios": ratios}
    return {"machine": os.uname().release, "cpus": os.cpu_count(), "pages": cells}, figures.table(head, rows)


def _text(ratio):
    return f"{ratio['ratio']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
