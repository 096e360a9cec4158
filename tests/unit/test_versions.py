#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""All kinds of packages name the version of meson.build.

usage: test_versions.py SOURCE_DIRECTORY
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
PLACES = {
    "meson.build": r"^  version: '(.*)',$",
    "debian/changelog": r"\Apvschedd \(([^)+]*)",  # packages for one Debian release add +deb13u1
    "rpm/pvschedd.spec": r"^Version: *(.*)$",
    "CHANGELOG.md": r"^## (\S+)",
}


def main():
    versions = {name: re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]
                for name, pattern in PLACES.items()}
    assert len(set(versions.values())) == 1, versions
    print("1 passed, 0 failed, 0 skipped")


main()
