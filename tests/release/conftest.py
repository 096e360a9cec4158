# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the suite `release`: what is published, built and installed in bare Debians. Run by scripts/test, or by
hand as root: /usr/bin/python3 -m pytest tests/release [-k WORD]
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="only root can make a bare Debian"))


class Machine:
    """Commands on this machine and in bare Debians."""

    @staticmethod
    def run(*argv, **kwargs):
        """Standard output of a command of this machine."""
        done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, **kwargs)
        assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def script(self, name, *argv, **kwargs):
        return self.run(ROOT / "scripts" / name, *argv, **kwargs)

    def bare(self, suite, purposes, text, *options):
        """Runs a shell script in a bare Debian SUITE, with options of scripts/debian-root."""
        return self.script("debian-root", "--suite", suite, *(["--packages", *purposes] if purposes else []), *options,
                           "--", "sh", "-ec", text)


@pytest.fixture(scope="session")
def machine():
    return Machine()


@pytest.fixture(scope="session")
def tarball(machine, tmp_path_factory):
    return pathlib.Path(machine.script("tarball", "--output", tmp_path_factory.mktemp("tarball")).strip())
