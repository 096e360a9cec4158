# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a benchmark inside the emulated KVM host of scripts/rig, and takes its rounds home one by one."""

import argparse
import contextlib
import glob
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from dataclasses import dataclass, field
from typing import Callable

from rig.host import commands
from rig.host.machine import HostDied, Machine
from rig.proc import RigError

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSIDE = "/opt/pvschedd-bench"
COPY_SECONDS = 120
# A guest boots, all is undone at the end; and what one measurement takes besides its seconds, at most.
SETUP_SECONDS, CELL_SECONDS = 180, 8
# One call inside does rounds for about that long.
BATCH_SECONDS = 600
# An emulated host may die or hang, and a guest in it: so often another one goes on.
DEATHS_MAX = 3


class Cut(Exception):
    """The benchmark ended before it had done its rounds."""


@dataclass
class Job:
    """What is done inside.

    bench      name of the benchmark; with `--rounds-file -` it must print each round as a line of JSON
    arguments  of tests/bench/run besides --rounds, --rounds-file, --build
    cells      how many measurements a round has, and how many seconds each takes
    files      [(path here, path inside, from INSIDE)] besides the Python of benches and rig
    prepare    is called with a machine that has all files, before anything is measured
    """
    bench: str
    arguments: list
    cells: int
    seconds: int
    files: list = field(default_factory=list)
    prepare: Callable = lambda machine: None


def arguments(parser):
    group = parser.add_argument_group("emulated host (grid, hints, host --rig, levers --rig)")
    group.add_argument("--kernel", choices=("6.1", "6.12"), default="6.1", help="kernel of the emulated host")
    group.add_argument("--rig", nargs="?", const=True, metavar="HOST/KERNEL",
                       help="host: disk and network in the emulated host, by real KVM and vhost; levers: there; grid and glitch "
                            "are there anyway. HOST/KERNEL: which one, such as trixie/newest (levers: must be given)")
    group.add_argument("--rig-name", metavar="NAME", default="bench", help="which emulated host: `--name` of scripts/rig")
    group.add_argument("--keep-host", action="store_true", help="leaves the emulated host running")
    group.add_argument("--rounds-file", metavar="FILE",
                       help="glitch, grid, hints, host, levers, trial, wake, crowd: adds each round to FILE, as a line of JSON with commit, "
                            "kernel and speed of the machine; rounds already there count, too. -: prints the rounds, without a report")
    group.add_argument("--sitting", type=float, metavar="SECONDS",
                       help="begins no round (trial: no trial) that may end later; the next run with the same --rounds-file goes on. "
                            "0: only sums up what is in that file (glitch, host, trial, wake, crowd)")
    group.add_argument("--force", action="store_true", help="runs although other domains run")
    group.add_argument("--guest-image", metavar="DIR", help="kernel and initramfs, as scripts/guest-image makes them")
    group.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)  # see end_at_eof()


def choose(bench, options):
    """Which emulated host --rig means: another --rig-name for each, so that several can be up."""
    if not isinstance(options.rig, str):
        return
    host, _, kernel = options.rig.partition("/")
    if not kernel:
        raise RigError(f"{bench} --rig wants HOST/KERNEL, such as trixie/newest or bookworm/6.1, not '{options.rig}'")
    options.rig_host, options.kernel = host, kernel
    options.rig_name = f"{bench}-{host}-{kernel.replace('.', '-')}"


def end_at_eof():
    """Ends this program with its input: inside the emulated host nothing else tells that the receiver of the rounds is
    gone."""
    def wait():
        while os.read(0, 4096):  # not sys.stdin, whose lock would be held when we end
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _measuring(options):
    """The host ends with this, unless it ran before or is wanted on."""
    machine = Machine(options.rig_name)
    ours = not machine.running() and not options.keep_host
    try:
        yield
    finally:
        if ours:
            machine.clean()


def program(build, name):
    """(where a built program is here, where it shall be inside)."""
    path = f"{build}/{name}"
    if not os.path.exists(path):
        raise RigError(f"{path} is not there: build with `ninja -C {build}`, or name the build with --build")
    return path, f"build/{name}"


def _archive(files):
    """What is needed inside, as a tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path in [*glob.glob(f"{TESTS}/bench/*.py"), f"{TESTS}/bench/run", *glob.glob(f"{TESTS}/rig/*.py"),
                     *glob.glob(f"{TESTS}/rig/host/*.py")]:
            tar.add(path, f"tests/{os.path.relpath(path, TESTS)}")
        for path, inside in files:
            tar.add(path, inside)
    return stream.getvalue()


def _copy(machine, files):
    with tempfile.TemporaryFile() as file:
        file.write(_archive(files))
        file.seek(0)
        done = machine.call(f"mkdir -p {INSIDE} && tar -xmf - --no-same-owner -C {INSIDE}", timeout=COPY_SECONDS, stdin=file)
    if done.returncode != 0:
        raise RigError("copying the benchmark into the emulated host failed, see above")


def _command(job, rounds, limit_s):
    return shlex.join(["timeout", "--kill-after=60", str(limit_s), "python3", "-B", f"{INSIDE}/tests/bench/run", job.bench,
                       "--until-eof", "--force", "--rounds", str(rounds), "--rounds-file", "-", "--build", f"{INSIDE}/build",
                       *job.arguments])


def _take(file, accelerator, add):
    """Adds the whole lines of FILE; how many."""
    file.seek(0)
    lines = [line for line in file.read().splitlines(keepends=True) if line.endswith("\n")]
    for line in lines:
        add(json.loads(line), f"emulated host ({accelerator})")
    return len(lines)


def measure(job, options, add):
    """As many rounds as wanted, each to add(round, what the machine is)."""
    with _measuring(options):
        _all(job, options, add)


def _all(job, options, add):
    """Those of a host that died later count; another host does the rest."""
    taken, deaths = [], 0

    def count(one, machine):
        add(one, machine)
        taken.append(one)

    while len(taken) < options.rounds:
        try:
            _some(job, options, options.rounds - len(taken), count)
        except (HostDied, Cut, subprocess.TimeoutExpired) as error:
            if len(taken) >= options.rounds:
                break
            deaths += 1
            if deaths > DEATHS_MAX:
                raise RigError(f"the emulated host failed {deaths} times, at last: {error}") from None
            print(f"bench: {job.bench}: {error}; booting again ({deaths} of {DEATHS_MAX})", file=sys.stderr)
            Machine(options.rig_name).clean()


@contextlib.contextmanager
def _held_open():
    """An input without a word, that ends when we do, however that is."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _some(job, options, left, add):
    """A few rounds, with a time limit: a host may hang."""
    machine = commands.boot(options.rig_name, options.kernel, host=getattr(options, "rig_host", None))
    accelerator = machine.state()["accelerator"]
    if accelerator == "tcg":
        print(f"bench: {job.bench}: hardware cannot nest KVM here, so the host is emulated: KVM in it is real, and slow; the "
              "ratios count, not the microseconds", file=sys.stderr)
    _copy(machine, job.files)
    job.prepare(machine)
    rounds = min(left, max(1, BATCH_SECONDS // (job.cells * (job.seconds + 2))))
    limit_s = SETUP_SECONDS + rounds * job.cells * (job.seconds + CELL_SECONDS)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file, _held_open() as stdin:
        try:
            code = machine.call(_command(job, rounds, limit_s), timeout=limit_s + 120, stdin=stdin,
                                stdout=file).returncode
        finally:
            taken = _take(file, accelerator, add)
    if code != 0 or taken == 0:
        raise Cut(f"the benchmark in the emulated host ended with {code}, see above; {taken} rounds of this host are kept")
