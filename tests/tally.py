# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts what a suite did: tally.py meson testlog.json | tally.py junit report.xml

Prints what was skipped and why, one line each, then "PASSED FAILED SKIPPED". A test of meson's that ends
its output with "N passed, N failed, N skipped" counts as so many, else as one.
"""

import json
import re
import sys
import xml.etree.ElementTree

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
SKIPPED_LINE = re.compile(r"^skipped (.*)$", re.MULTILINE)


def meson(path):
    total = [0, 0, 0]
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            output = test.get("stdout", "") or ""
            own = SUMMARY.findall(output)
            counts = [int(number) for number in own[-1]] if own else [0, 0, 0]
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                if not own:
                    counts[0] = 1
            elif test["result"] == "SKIP":
                if not own:
                    counts[2] = 1
                print(f"skipped {test['name']}: {output.strip().splitlines()[-1] if output.strip() else 'no reason'}")
            elif counts[1] == 0:
                counts[1] = 1  # crashed, timed out, or failed without a word
            for text in SKIPPED_LINE.findall(output):
                print(f"skipped {test['name']}: {text}")
            total = [a + b for a, b in zip(total, counts)]
    return total


def junit(path):
    total = [0, 0, 0]
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            total[1] += 1
        elif skip is not None:
            total[2] += 1
            print(f"skipped {case.get('name')}: {skip.get('message')}")
        else:
            total[0] += 1
    return total


def main():
    counts = {"meson": meson, "junit": junit}[sys.argv[1]](sys.argv[2])
    if not any(counts):
        sys.exit(f"tally: {sys.argv[2]} holds no test")
    print(*counts)


if __name__ == "__main__":
    main()
