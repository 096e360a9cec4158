#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/faults.md has each of the 61 faults, and the tests that it names exist.

usage: test_faults.py SOURCE_DIRECTORY
"""

import pathlib
import re
import sys

FAULTS = 61
WITHOUT_TEST = set()  # these must say why; all others must have a test
NOT_YET = set()

ITEM = re.compile(r"^(\d+)\. +(.*?)(?=^\d+\. |^#|\Z)", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`((?:unit|integration|vm|fuzz)/[^`]*|sim::[^`]*)`")


def has_test(root, test):
    """A test of its kind's own form: a function, or a line of a table."""
    path, _, name = test.partition("::")
    if path == "sim":
        return f'{{"{name}",' in (root / "tests/sim/scenario.c").read_text(encoding="utf-8")
    file = root / "tests" / path
    if not file.is_file():
        return False
    text = file.read_text(encoding="utf-8")
    if path.startswith("fuzz/"):
        return name == "" and "LLVMFuzzerTestOneInput" in text
    if file.suffix == ".py":
        return bool(re.fullmatch(r"test_\w+", name) and re.search(rf"^def {name}\(", text, re.MULTILINE))
    return bool(name) and (f'{{"{name}", test_' in text or re.search(rf"\bTEST\(test_{re.escape(name)}\)", text) is not None)


def parts_of(text):
    """{word: text} of the points of one fault."""
    points = re.split(r"\n    - (?=Tests|No test|Not shown)", text)
    return {re.match(r"[A-Za-z ]+", point)[0]: point for point in points[1:]}


def errors_of(root, text):
    items = {int(number): item for number, item in ITEM.findall(text)}
    errors = [f"{number}: missing" for number in range(1, FAULTS + 1) if number not in items]
    if len(ITEM.findall(text)) != FAULTS:
        errors.append(f"there are {len(ITEM.findall(text))} faults, not {FAULTS}")
    for number, item in items.items():
        parts = parts_of(item)
        none = "No test yet" if number in NOT_YET else "No test"
        if number in WITHOUT_TEST | NOT_YET:
            if none not in parts or not re.match(rf"{none}[:.]", parts[none]) or "Tests" in parts:
                errors.append(f"{number}: it must say '{none}', and why")
        elif not QUOTED.findall(parts.get("Tests", "")) or set(parts) - {"Tests", "Not shown"}:
            errors.append(f"{number}: it must name its tests, and may say what they do not show")
        errors += [f"{number}: there is no test {test}" for test in QUOTED.findall(item) if not has_test(root, test)]
        errors += [f"{number}: {odd} is not the name of a test" for odd in re.findall(r"`([^`]*::[^`]*)`", item)
                   if not QUOTED.fullmatch(f"`{odd}`")]
    return errors


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs/faults.md").read_text(encoding="utf-8")
    errors = errors_of(root, text)
    named = set(QUOTED.findall(text))
    # what the check itself must find
    for wrong in ("unit/test_ledger.c::damaged", "integration/test_death.py::test_kill", "sim::rogue", "fuzz/fuzz_none.c"):
        if has_test(root, wrong):
            errors.append(f"the check takes {wrong} for a test")
    if errors_of(root, text.replace("test_kill_9_of_the_daemon`", "test_kill_8`")) == errors:
        errors.append("the check does not miss a test")
    if len(named) < 150:
        errors.append(f"the check reads too little: {len(named)} tests")
    for error in errors:
        print(error)
    print(f"{FAULTS} faults, {len(named)} tests named")
    print(f"{0 if errors else 1} passed, {1 if errors else 0} failed, 0 skipped")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
