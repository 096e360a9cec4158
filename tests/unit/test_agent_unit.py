#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's units: how much each could do if it were taken over, as systemd rates it."""

import pathlib
import re
import shutil
import subprocess
import sys

EXPOSURE_MAX = 2.0


def exposure(unit):
    name = pathlib.Path(unit).name
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True,
                          check=False)
    match = re.search(rf"exposure level for {re.escape(name)}: ([\d.]+)", done.stdout)
    print(f"{name}: exposure {match[1]}" if match else done.stdout + done.stderr)
    return float(match[1]) if match else 10.0


def main(units):
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here\n0 passed, 0 failed, 1 skipped")
        return 0
    failed = sum(exposure(unit) > EXPOSURE_MAX for unit in units)
    print(f"{len(units) - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
