# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs `grid --host` inside the emulated KVM host of scripts/rig."""

import json

from rig.host.product import GUEST_INSIDE
from rig.proc import RigError

from . import grid_host, inside

DROP_IN = "/etc/pvschedd/pvschedd.d/grid.json"


def _configure(machine, slow):
    """The service of the emulated host gets the bursts that are wanted; it ends with the host."""
    drop_in = {"version": 1, **grid_host.slowed(slow)}
    done = machine.call(f"cat > {DROP_IN} && pvschedctl reload", timeout=inside.COPY_SECONDS, text=True, input=json.dumps(drop_in))
    if done.returncode != 0:
        raise RigError("pvschedd in the emulated host refused the benchmark's configuration, see above")


def _arguments(options):
    words = ["--host", "--seconds", str(options.seconds), "--slow", str(options.slow), "--host-every", str(options.host_every),
             "--vcpus", str(options.vcpus), "--guest-type", "kvm", "--guest-image", GUEST_INSIDE]
    for load in options.loads:
        words += ["--load", load]
    for interval_us in options.intervals:
        words += ["--interval", str(interval_us)]
    for profile in options.profile:
        words += ["--profile", profile]
    return words


def measure(options, add):
    """As many rounds as wanted, by add()."""
    def named(one, machine):
        one["conditions"]["machine"] = machine
        add(one)

    cells = len(options.loads) * len(options.intervals) * len(options.variants)
    job = inside.Job("grid", _arguments(options), cells, options.seconds,
                     files=[inside.program(options.build, "tests/bench/bench-waits")],
                     prepare=lambda machine: _configure(machine, options.slow))
    inside.measure(job, options, named)
