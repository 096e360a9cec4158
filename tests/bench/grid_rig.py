# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs `grid --host` inside the emulated KVM host of scripts/rig, and takes its rounds home one by one."""

import contextlib
import glob
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile

from rig.host import commands
from rig.host.machine import HostDied, Machine
from rig.host.product import GUEST_INSIDE
from rig.proc import RigError

from . import grid_host

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSIDE = "/opt/pvschedd-grid"
DROP_IN = "/etc/pvschedd/pvschedd.d/grid.json"
COPY_SECONDS = 120
# A guest boots, all is undone at the end; and what one measurement takes besides its seconds, at most.
SETUP_SECONDS, CELL_SECONDS = 180, 8
# One call inside does rounds for about that long.
BATCH_SECONDS = 240
# An emulated host may die or hang: so often another one goes on.
DEATHS_MAX = 3


@contextlib.contextmanager
def measuring(options):
    """The host ends with this, unless it ran before or is wanted on."""
    machine = Machine(options.name)
    ours = not machine.running() and not options.keep_host
    try:
        yield
    finally:
        if ours:
            machine.clean()


def _archive(build):
    """What is needed inside, as a tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path in [*glob.glob(f"{TESTS}/bench/*.py"), f"{TESTS}/bench/run", *glob.glob(f"{TESTS}/rig/*.py"),
                     *glob.glob(f"{TESTS}/rig/host/*.py")]:
            tar.add(path, f"tests/{os.path.relpath(path, TESTS)}")
        program = f"{build}/tests/bench/bench-waits"
        if not os.path.exists(program):
            raise RigError(f"{program} is not there: build with `ninja -C {build}`, or name the build with --build")
        tar.add(program, "build/tests/bench/bench-waits")
    stream.seek(0)
    return stream


def _copy(machine, build):
    with tempfile.TemporaryFile() as file:
        file.write(_archive(build).read())
        file.seek(0)
        done = machine.call(f"mkdir -p {INSIDE} && tar -xmf - --no-same-owner -C {INSIDE}", timeout=COPY_SECONDS, stdin=file)
    if done.returncode != 0:
        raise RigError("copying the benchmark into the emulated host failed, see above")


def _configure(machine, slow):
    """The service of the emulated host gets the bursts that are wanted; it ends with the host."""
    drop_in = {"version": 1, **grid_host.slowed(slow)}
    done = machine.call(f"cat > {DROP_IN} && pvschedctl reload", timeout=COPY_SECONDS, text=True, input=json.dumps(drop_in))
    if done.returncode != 0:
        raise RigError("pvschedd in the emulated host refused the benchmark's configuration, see above")


def _command(options, rounds, limit_s):
    words = ["timeout", "--kill-after=60", str(limit_s), "python3", "-B", f"{INSIDE}/tests/bench/run", "grid", "--host",
             "--until-eof", "--force", "--rounds", str(rounds), "--rounds-file", "-", "--seconds", str(options.seconds),
             "--slow", str(options.slow), "--host-every", str(options.host_every), "--vcpus", str(options.vcpus), "--guest-type", "kvm", "--guest-image", GUEST_INSIDE,
             "--build", f"{INSIDE}/build"]
    for load in options.loads:
        words += ["--load", load]
    for interval_us in options.intervals:
        words += ["--interval", str(interval_us)]
    for profile in options.profile:
        words += ["--profile", profile]
    return shlex.join(words)


def _take(file, accelerator, add):
    """Adds the whole lines of FILE; how many."""
    file.seek(0)
    lines = [line for line in file.read().splitlines(keepends=True) if line.endswith("\n")]
    for line in lines:
        one = json.loads(line)
        one["conditions"]["machine"] = f"emulated host ({accelerator})"
        add(one)
    return len(lines)


def measure(options, add):
    """As many rounds as wanted. Those of a host that died later count; another host does the rest."""
    taken, deaths = [], 0

    def count(one):
        add(one)
        taken.append(one)

    while len(taken) < options.rounds:
        try:
            _some(options, options.rounds - len(taken), count)
        except (HostDied, subprocess.TimeoutExpired) as error:
            deaths += 1
            if deaths > DEATHS_MAX:
                raise RigError(f"the emulated host failed {deaths} times, at last: {error}") from None
            print(f"bench: grid: {error}; booting again ({deaths} of {DEATHS_MAX})", file=sys.stderr)
            Machine(options.name).clean()


@contextlib.contextmanager
def _held_open():
    """An input without a word, that ends when we do, however that is."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _some(options, left, add):
    """A few rounds, with a time limit: a host may hang."""
    machine = commands.boot(options.name, options.kernel)
    accelerator = machine.state()["accelerator"]
    if accelerator == "tcg":
        print("bench: grid: hardware cannot nest KVM here, so the host is emulated: KVM in it is real, and slow; the ratios "
              "count, not the microseconds", file=sys.stderr)
    _copy(machine, options.build)
    _configure(machine, options.slow)
    cells = len(options.loads) * len(options.intervals) * len(options.variants)
    rounds = min(left, max(1, BATCH_SECONDS // (cells * (options.seconds + 2))))
    limit_s = SETUP_SECONDS + rounds * cells * (options.seconds + CELL_SECONDS)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file, _held_open() as stdin:
        try:
            code = machine.call(_command(options, rounds, limit_s), timeout=limit_s + 120, stdin=stdin,
                                stdout=file).returncode
        finally:
            taken = _take(file, accelerator, add)
    if code != 0 or taken == 0:
        raise RigError(f"the benchmark in the emulated host ended with {code}, see above; {taken} rounds are kept")
