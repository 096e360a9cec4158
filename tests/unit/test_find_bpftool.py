#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which bpftool builds the tracer: one that runs, also where Ubuntu's script does not."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
NONE = "bpftool-that-runs"


def tool(path, works):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n[ \"$*\" = version ] && exit {0 if works else 2}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def found(lib, *candidate):
    done = subprocess.run([ROOT / "bpf/find-bpftool.sh", lib, *candidate], check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.strip()


def test_one_that_runs_is_taken(lib):
    tool(lib / "linux-tools/6.8.0-31-generic/bpftool", True)
    good = tool(lib / "good", True)
    assert found(lib, good) == str(good)


def test_a_script_that_fails_gives_way_to_that_of_the_newest_kernel(lib):
    script = tool(lib / "script", False)
    tool(lib / "linux-tools/6.8.0-9-generic/bpftool", True)
    newest = tool(lib / "linux-tools/6.8.0-31-generic/bpftool", True)
    assert found(lib, script) == str(newest)
    newest.chmod(0o644)
    assert found(lib, script) == str(lib / "linux-tools/6.8.0-9-generic/bpftool")


def test_a_directory_named_by_the_version_is_looked_at(lib):
    there = tool(lib / "linux-tools-6.8.0-31/bpftool", True)
    assert found(lib) == str(there)


def test_none_is_a_name_that_tells(lib):
    assert found(lib) == NONE
    assert found(lib, tool(lib / "script", False)) == NONE


def main():
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as lib:
            test(pathlib.Path(lib))
    print(f"{len(tests)} passed, 0 failed, 0 skipped")


main()
