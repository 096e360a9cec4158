#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedctl(8) explains each reason of src/policy/names.c, and names each JSON key that the daemon reports;
pvsched-metrics(7) names each metric; pvsched-agent(8) each reason not to step aside, and each key of that report.

usage: test_documented.py SOURCE_DIRECTORY
"""

import pathlib
import re
import sys


def section(page, title):
    """The lines of a section of an mdoc page."""
    lines, inside = [], False
    for line in page.splitlines():
        if line.startswith(".Sh "):
            inside = line == f".Sh {title}"
        elif inside:
            lines.append(line)
    return lines


def reasons_of(names):
    return set(re.findall(r'\[POLICY_REASON_\w+\] = "([a-z-]+)"', names))


def explained(page):
    return {match.group(1) for match in (re.match(r"\.It Cm ([a-z-]+)$", line) for line in section(page, "REASONS"))
            if match}


def keys_of(source):
    """The keys that a report file writes: the first string after the object, of each call that adds one."""
    calls = r"\b(?:cJSON_Add\w+ToObject|report_integer|report_hex|add_\w+)\(\s*[^,()]+(?:\([^()]*\))?,\s*\"([a-z0-9_]+)\""
    return set(re.findall(calls, source))


def words(page):
    return set(re.findall(r"[a-z0-9_]+", page))


def families_of(source):
    """{name of a sample} of each family that metrics_print.c writes."""
    suffixes = {"COUNTER": "_total", "INFO": "_info", "GAUGE": "", "HISTOGRAM": ""}
    return {name + suffixes[kind]
            for name, kind in re.findall(r'"(pvsched_[a-z_]+)",\s*OPENMETRICS_([A-Z]+)', source)}


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "man/pvschedctl.8").read_text(encoding="utf-8")
    reasons = reasons_of((root / "src/policy/names.c").read_text(encoding="utf-8"))
    errors = [f"{reason}: not in REASONS of pvschedctl(8)" for reason in sorted(reasons - explained(page))]
    errors += [f"{reason}: in REASONS of pvschedctl(8), and no reason" for reason in sorted(explained(page) - reasons)]
    keys = set()
    for file in sorted((root / "src/daemon").glob("report_*.c")):
        found = keys_of(file.read_text(encoding="utf-8"))
        keys |= found
        errors += [f"{file.name}: {key}: not in pvschedctl(8)" for key in sorted(found - words("\n".join(section(page, "JSON OUTPUT"))))]
    metrics = (root / "man/pvsched-metrics.7").read_text(encoding="utf-8")
    families = families_of((root / "src/daemon/metrics_print.c").read_text(encoding="utf-8"))
    described = set(re.findall(r"\bpvsched_[a-z_]+", "\n".join(section(metrics, "SERIES") + section(metrics, "BOUNDS"))))
    errors += [f"{name}: not in pvsched-metrics(7)" for name in sorted(families - described)]
    errors += [f"{name}: in pvsched-metrics(7), and not exported" for name in sorted(described - families)]
    agent = (root / "man/pvsched-agent.8").read_text(encoding="utf-8")
    outcome = (root / "src/agent/aside_outcome.c").read_text(encoding="utf-8")
    refusals = set(re.findall(r"\[ASIDE_\w+\] =\s*\{\"([a-z0-9-]+)\"", outcome)) - {"none"}
    errors += [f"{reason}: not in STEPPING ASIDE of pvsched-agent(8)" for reason in sorted(refusals)
               if not re.search(rf"\b{reason}\b", "\n".join(section(agent, "STEPPING ASIDE")))]
    aside = re.findall(r'\\"([a-z_]+)\\":', (root / "src/agent/aside_report.c").read_text(encoding="utf-8"))
    errors += [f"aside_report.c: {key}: not in pvsched-agent(8)" for key in sorted(set(aside) - words(agent))]
    if len(refusals) < 8 or len(aside) < 12:
        errors.append(f"the check reads too little of the agent: {len(refusals)} reasons, {len(aside)} keys")
    if len(families) < 30:
        errors.append(f"the check reads too few metrics: {len(families)}")
    if len(reasons) < 20 or len(keys) < 60:
        errors.append(f"the check reads too little: {len(reasons)} reasons, {len(keys)} keys")
    for error in errors:
        print(error)
    print(f"{len(reasons)} reasons, {len(keys)} keys")
    print(f"{0 if errors else 1} passed, {1 if errors else 0} failed, 0 skipped")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
