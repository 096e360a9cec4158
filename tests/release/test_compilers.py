# SPDX-License-Identifier: GPL-2.0-or-later
"""The tracer by each clang that Debian has: compiled, and loaded into this machine's kernel."""

import re

import pytest

VERSIONS = {"bookworm": (14, 15, 16, 19), "trixie": (17, 18, 19)}

LOAD = """
apt-get update -q >/dev/null
apt-get install -y -q --no-install-recommends PACKAGES >/dev/null
meson setup /tmp/build >/dev/null
ninja -C /tmp/build tests/tracer/test_tracer_objects >/dev/null
grep -o 'OBJECT(clang_[0-9]*)' /tmp/build/tests/tracer/objects.h
/tmp/build/tests/tracer/test_tracer_objects
"""


@pytest.mark.parametrize("suite", VERSIONS)
def test_each_clang_compiles_what_the_kernel_takes(suite, machine):
    versions = VERSIONS[suite]
    said = machine.bare(suite, ("build", "deb"), LOAD.replace("PACKAGES", " ".join(f"clang-{version}" for version in versions)),
                        "--same-pids")
    assert {int(version) for version in re.findall(r"OBJECT\(clang_(\d+)\)", said)} == set(versions)
    assert re.search(r"^[1-9]\d* passed, 0 failed, 0 skipped$", said, re.MULTILINE), said
