# SPDX-License-Identifier: GPL-2.0-or-later
"""What a figure's reader must know of the kernel: its release, and whether its fair class keeps its order."""

import json
import os
import subprocess

from rig.daemon import program
from rig.proc import RigError


def fair_class(build):
    """(status, detail) of `pvschedctl doctor --probe`."""
    try:
        done = subprocess.run([program(build, "pvschedctl"), "doctor", "--probe", "--json"], capture_output=True, text=True,
                              timeout=60, check=False)
        found = next(check for check in json.loads(done.stdout)["checks"] if check["name"] == "fair-class")
    except (RigError, json.JSONDecodeError, subprocess.TimeoutExpired, StopIteration) as error:
        return "unknown", str(error) or type(error).__name__
    return found["status"], found["detail"]


def about(options):
    """(JSON, a line) of the kernel that the rounds ran on; of an emulated host only that it was another one."""
    if options.rig:
        return {}, ""
    status, detail = fair_class(options.build)
    release = os.uname().release
    return {"kernel": release, "fair_class": {"status": status, "detail": detail}}, f"Linux {release}; fair class {status}: {detail}\n\n"
