#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's unit: how much it could do if it were taken over, as systemd rates it."""

import re
import shutil
import subprocess
import sys

EXPOSURE_MAX = 2.0


def main(unit):
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here\n0 passed, 0 failed, 1 skipped")
        return 0
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True,
                          check=False)
    match = re.search(r"exposure level for pvsched-agent.service: ([\d.]+)", done.stdout)
    if not match:
        print(done.stdout, done.stderr, "0 passed, 1 failed, 0 skipped", sep="\n")
        return 1
    good = float(match[1]) <= EXPOSURE_MAX
    print(f"exposure {match[1]}\n{int(good)} passed, {int(not good)} failed, 0 skipped")
    return not good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
