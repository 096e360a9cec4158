# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedd-demo as its package has it: it needs nothing of the checkout. It loads this machine for a minute."""

import json
import os

import pytest

CACHE = "/var/cache/pvschedd/guest"  # the image that the other suites use, so that nothing is downloaded


@pytest.fixture(scope="module")
def tree(machine, tmp_path_factory):
    """The two packages, unpacked beside each other; their links are relative."""
    where = tmp_path_factory.mktemp("tree")
    for path in machine.script("deb").split():
        if os.path.basename(path).startswith(("pvschedd_", "pvschedd-demo_")):
            machine.run("dpkg-deb", "-x", path, where)
    return where


def test_it_tells_its_name_and_that_nothing_is_built(tree, machine):
    text = machine.run(tree / "usr/sbin/pvschedd-demo", "--help")
    assert text.startswith("Usage: pvschedd-demo ")
    assert "takes the installed pvschedd" in text and "--build-dir" not in text


def test_it_measures_with_the_installed_programs(tree, machine, tmp_path):
    said = machine.run(tree / "usr/sbin/pvschedd-demo", "--rounds", 1, "--seconds", 1, "--variants", "untouched,latency",
                       "--json", tmp_path / "figures", env={**os.environ, "PVSCHED_GUEST_CACHE": CACHE}, timeout=280)
    figures = json.loads((tmp_path / "figures").read_text(encoding="utf-8"))["variants"]
    boosted = {name: row["boosted_permille"] for name, row in figures.items()}
    assert boosted["untouched"] == 0 and boosted["latency"] > 0, boosted
    assert "the domain's XML is byte for byte what it was" in said
    assert not list((tree / "usr/share/pvschedd-demo").rglob("__pycache__"))
