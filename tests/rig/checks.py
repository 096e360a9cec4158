# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the checks of a unit test that is a Python script."""

import traceback
import unittest


def run_checks(names):
    """Calls what begins with test_ in NAMES, a script's globals(); its exit status. Says what failed or was skipped
    (unittest.SkipTest), and how many passed."""
    checks = {name: check for name, check in names.items() if name.startswith("test_")}
    failed = skipped = 0
    for name, check in checks.items():
        try:
            check()
        except unittest.SkipTest as error:
            skipped += 1
            print(f"skipped {name}: {error}")
        except AssertionError:
            failed += 1
            print(f"not ok {name}\n{traceback.format_exc()}")
    print(f"{len(checks) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not checks else 0
