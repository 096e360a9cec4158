#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a purge of the package removes, and what it leaves: the maintainer script, in a root of its own."""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])


def purge(root):
    """Runs the script with its paths below @root, and with no group. Returns what it says."""
    text = (ROOT / "debian/pvschedd.postrm").read_text(encoding="utf-8").replace("#DEBHELPER#", "")
    for directory in ("/etc/pvschedd", "/run/pvschedd", "/var/lib/pvschedd"):
        text = text.replace(directory, f"{root}{directory}")
    tools = root / "tools"
    tools.mkdir()
    (tools / "getent").write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
    (tools / "getent").chmod(0o755)
    done = subprocess.run(["sh", "-c", text, "postrm", "purge"], capture_output=True, text=True, check=False,
                          env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 0, done
    return done.stderr


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x", encoding="utf-8")


def test_nothing_of_the_administrator(root):
    make(root, "run/pvschedd/lock", "var/lib/pvschedd/state")
    (root / "etc/pvschedd/pvschedd.d").mkdir(parents=True)
    assert purge(root) == ""
    for path in ("etc/pvschedd", "run/pvschedd", "var/lib/pvschedd"):
        assert not (root / path).exists(), path


def test_files_of_the_administrator(root):
    make(root, "etc/pvschedd/pvschedd.d/10-admin.json", "etc/pvschedd/notes")
    said = purge(root)
    assert (root / "etc/pvschedd/pvschedd.d/10-admin.json").exists() and (root / "etc/pvschedd/notes").exists()
    assert "which stay" in said, said


def test_ledger_of_a_daemon_that_runs(root):
    make(root, "run/pvschedd/ledger", "run/pvschedd/lock")
    said = purge(root)
    assert (root / "run/pvschedd/ledger").exists() and "not given back" in said, said


def test_nothing_is_there(root):
    assert purge(root) == ""


def main():
    tests = [value for name, value in sorted(globals().items()) if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as directory:
            test(pathlib.Path(directory))
        print(f"ok {test.__name__}")
    print(f"{len(tests)} passed, 0 failed, 0 skipped")


main()
