#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every MESSAGE_ID has an entry in the catalog and in pvschedd(8), and there are no others.

usage: test_catalog.py SOURCE_DIRECTORY
"""
import pathlib
import re
import sys


def main() -> int:
    source = pathlib.Path(sys.argv[1])
    header = (source / "src/util/log_ids.h").read_text()
    catalog = (source / "systemd/pvschedd.catalog").read_text()
    manual = (source / "man/pvschedd.8").read_text()
    ids = re.findall(r'#define LOG_ID_\w+ "([0-9a-f]{32})"', header)
    found = {
        "catalog": re.findall(r"^-- ([0-9a-f]{32})$", catalog, re.M),
        "manual": re.findall(r"^\.It Li ([0-9a-f]{32})$", manual, re.M),
    }
    failed = 0
    for name, have in found.items():
        for wrong in sorted(set(ids) ^ set(have)):
            place = "missing there" if wrong in ids else "unknown to log_ids.h"
            print(f"not ok {name}: {wrong} is {place}")
            failed += 1
    print(f"{len(found) - min(failed, len(found))} passed, {failed} failed, 0 skipped")
    return 1 if failed or not ids else 0


if __name__ == "__main__":
    sys.exit(main())
