#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes in docs/examples: each drop-in is valid, each tutorial has its parts and names commands that there are, the
README links it, and what `tests/bench/run wake` measures for it is what its file sets.

usage: test_recipes.py SOURCE_DIRECTORY PVSCHEDD PVSCHEDCTL
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

RECIPES = ("voip", "audio", "soft-plc", "gaming", "desktop")
PARTS = ["Set", "See", "Undo", "Measured"]
LINES_MAX = 75


def refused(pvschedd, text):
    """What --check-config says against a configuration; "" if nothing."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "pvschedd.json")
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        done = subprocess.run([pvschedd, "--check-config", "--config", path], capture_output=True, text=True, check=False)
        return (done.stderr or f"it ended with {done.returncode}") if done.returncode else ""


def unknown_verbs(pvschedctl, page):
    """Those of its pvschedctl commands of which there is no help."""
    verbs = {match for match in re.findall(r"\bpvschedctl ([a-z]+)", page)}
    return [verb for verb in sorted(verbs)
            if subprocess.run([pvschedctl, "help", verb], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode]


def measured_by(root):
    """{recipe: (burst in us, share in permille)} of the benchmark, which needs more than this test to be imported."""
    source = (root / "tests/bench/wake.py").read_text(encoding="utf-8")
    table = re.search(r"^RECIPES = (\{.*\})$", source, re.MULTILINE)[1]
    return {name: (int(burst), int(share)) for name, burst, share in re.findall(r'"([a-z-]+)": \((\d+), (\d+)\)', table)}


def set_by(config):
    """(burst, share) that the file gives to its first domain."""
    entry = next(iter(next(iter(config["domains"].values())).values()))
    builtin = {"interactive": {"burst_us": 200, "share_permille": 100}}
    profile = config.get("profiles", builtin)[entry["profile"]] | entry
    return profile["burst_us"], profile["share_permille"]


def faults(root, name, pvschedd, pvschedctl):
    page = (root / f"docs/examples/{name}.md").read_text(encoding="utf-8")
    text = (root / f"docs/examples/{name}.json").read_text(encoding="utf-8")
    config = json.loads(text)
    found = [refused(pvschedd, text)]
    found += [f"there is no command {verb}" for verb in unknown_verbs(pvschedctl, page)]
    if re.findall(r"^## (.*)$", page, re.MULTILINE) != PARTS:
        found.append(f"its parts are not {PARTS}")
    if len(page.splitlines()) > LINES_MAX:
        found.append(f"more than {LINES_MAX} lines are more than a page")
    drop_in = re.findall(r"/etc/pvschedd/pvschedd\.d/\S*\.json", page)
    if len(set(drop_in)) != 1 or f"rm {drop_in[0]} && pvschedctl reload" not in page:
        found.append("what is put in place is not what is undone")
    if f"]({name}.json)" not in page or f"docs/examples/{name}.json" not in page:
        found.append("it does not name its file")
    measured = page.partition("## Measured")[2]
    if f"tests/bench/run wake --duty {name}" not in measured or "*Not measured*" not in measured:
        found.append("it does not say what is measured and what is not")
    if measured_by(root)[name] != set_by(config):
        found.append(f"the benchmark has {measured_by(root)[name]}, the file {set_by(config)}")
    if f"](docs/examples/{name}.md)" not in (root / "README.md").read_text(encoding="utf-8"):
        found.append("README.md does not link it")
    return [f"docs/examples/{name}: {fault}" for fault in found if fault]


def main():
    root, pvschedd, pvschedctl = pathlib.Path(sys.argv[1]), *sys.argv[2:4]
    errors = [fault for name in RECIPES for fault in faults(root, name, pvschedd, pvschedctl)]
    there = {path.stem for path in (root / "docs/examples").glob("*.json")}
    errors += [f"docs/examples/{name}.json: no recipe" for name in sorted(there - set(RECIPES))]
    assert refused(pvschedd, '{"version": 1, "of_tomorrow": 1}'), "a wrong configuration is not refused"
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
