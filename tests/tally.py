# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts what a suite did: tally.py meson|junit REPORT [SECOND-REPORT]
Names what failed:       tally.py --failed meson|junit REPORT

A report is meson's testlog.json or pytest's report.xml. The second one is of the tests that failed and were run again:
what passed there counts as passed.

The count prints what was skipped and why, what failed, and what failed at first only ("unsteady"), one line each, then
"PASSED FAILED SKIPPED". A test of meson's that ends its output with "N passed, N failed, N skipped" counts as so many,
else as one. --failed prints names as the tool takes them, one a line.
"""

import collections
import json
import re
import sys
import xml.etree.ElementTree

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
SKIPPED_LINE = re.compile(r"^skipped (.*)$", re.MULTILINE)
FAILED_LINE = re.compile(r"^not ok (.*)$", re.MULTILINE)

# name: as the tool takes it. failure: what failed of it, None if nothing did. skips: names and reasons.
Result = collections.namedtuple("Result", "name passed failure skips counts")


def _meson_result(test):
    output = test.get("stdout", "") or ""
    own = SUMMARY.findall(output)
    counts = [int(number) for number in own[-1]] if own else [0, 0, 0]
    skips = [f"{test['name']}: {text}" for text in SKIPPED_LINE.findall(output)]
    failure = None
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        if not own:
            counts[0] = 1
    elif test["result"] == "SKIP":
        if not own:
            counts[2] = 1
        lines = output.strip().splitlines()
        skips.insert(0, f"{test['name']}: {lines[-1] if lines else 'no reason'}")
    else:
        counts[1] = max(counts[1], 1)  # it may have crashed, timed out, or failed without a word
        failure = ", ".join(FAILED_LINE.findall(output)) or test["result"].lower()
    return Result(test["name"].rpartition(" / ")[2], not counts[1], failure, skips, counts)


def meson(path):
    with open(path, encoding="utf-8") as file:
        return [_meson_result(json.loads(line)) for line in file]


def _junit_result(case):
    name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
    skip = case.find("skipped")
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            words = (found.get("message") or kind).splitlines()
            return Result(name, False, words[0][:200] if words else kind, [], [0, 1, 0])
    if skip is not None:
        return Result(name, True, None, [f"{case.get('name')}: {skip.get('message')}"], [0, 0, 1])
    return Result(name, True, None, [], [1, 0, 0])


def junit(path):
    return [_junit_result(case) for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase")]


def count(results, again):
    """Prints all but the sum, and returns that."""
    total = [0, 0, 0]
    for result in results:
        second = again.get(result.name) if result.failure else None
        # one that is skipped then says nothing
        if second and second.passed and second.counts[0]:
            print(f"unsteady {result.name}: it passed when it was run again; at first: {result.failure}")
            result = second
        elif result.failure:
            print(f"failed {result.name}: {result.failure}")
        for text in result.skips:
            print(f"skipped {text}")
        total = [a + b for a, b in zip(total, result.counts)]
    return total


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--failed"]
    read = {"meson": meson, "junit": junit}[arguments[0]]
    results = read(arguments[1])
    if "--failed" in sys.argv:
        print("".join(f"{result.name}\n" for result in results if result.failure), end="")
        return
    again = {result.name: result for path in arguments[2:] for result in read(path)}
    total = count(results, again)
    if not any(total):
        sys.exit(f"tally: {arguments[1]} holds no test")
    print(*total)


if __name__ == "__main__":
    main()
