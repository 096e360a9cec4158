# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the suite `release`: what is published, built and installed in bare Debians. Run by scripts/test, or by
hand as root: /usr/bin/python3 -m pytest tests/release [-k WORD]
"""

import os
import pathlib

import pytest

from two_releases import ROOT, run


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="only root can make a bare Debian"))


class Machine:
    """Commands on this machine and in bare Debians."""

    run = staticmethod(run)

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
