# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures. Run by scripts/test, or by hand as root:

    /usr/bin/python3 -m pytest tests/integration --build-dir=build [-k WORD]
"""

import fcntl
import os
import random
import statistics
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

# pylint: disable=wrong-import-position
from rig import rtbudget  # noqa: E402
from rig.deadman import Deadman  # noqa: E402
from rig.guest import RUN_DIR  # noqa: E402
from rig.libvirtd import Libvirtd  # noqa: E402
from owner import Owners  # noqa: E402
from second import Second  # noqa: E402
from scene import Scene  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--build-dir", default=os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"),
                     help="where pvschedd, pvschedctl and sched-snapshot were built")
    parser.addoption("--shared-machine", action="store_true",
                     help="other programs change threads here: compare only those of the tests' own domains")
    parser.addoption("--times", type=int, default=10, help="how often tests that are marked `often` try the same again")
    parser.addoption("--seed", type=int, help="of their random moments (default: another one each time)")


def pytest_configure(config):
    config.addinivalue_line("markers", "often: tries the same again, --times")
    config.addinivalue_line("markers", "sanitized: also runs in a build with sanitizers (scripts/test --sanitize address)")


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="only root can start domains and real-time threads"))


@pytest.fixture(scope="session")
def build_dir(request):
    return os.path.abspath(request.config.getoption("--build-dir"))


@pytest.fixture(scope="session")
def times(request):
    return request.config.getoption("--times")


@pytest.fixture
def chance(request):
    """Random moments; their seed is printed with a failure."""
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"--seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def checker(build_dir):
    for path in (f"{build_dir}/tests/checker/sched-snapshot", f"{build_dir}/sched-snapshot"):
        if os.path.isfile(path):
            return path
    pytest.fail(f"there is no sched-snapshot in {build_dir}: nothing could be compared")
    return None


@pytest.fixture(scope="session")
def deadman():
    with Deadman() as undo:
        yield undo


@pytest.fixture(scope="session")
def machine():
    """One run at a time on one machine: RT budgets and libvirtd are there once."""
    os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
    with open(f"{RUN_DIR}/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file, runtime_us in rtbudget.take_back_from_the_dead().items():
            print(f"left by a run that was killed, and taken back: {runtime_us} us in {file}")
        yield


@pytest.fixture(scope="session")
def libvirtd(machine, deadman):
    with Libvirtd(deadman) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def figures(request):
    """{name: [value, ...]}: told at the end of the run."""
    request.config.pvsched_figures = {}
    return request.config.pvsched_figures


@pytest.fixture(scope="session")
def real_time(request, build_dir, deadman):
    """The real time of each second is watched as long as the tests run; boosts must keep to the sheet."""
    with Second(build_dir, deadman) as second:
        yield
        request.config.pvsched_real_time = second.end()
    if second.status:
        pytest.fail(f"rt-second ended with {second.status}:\n{second.text}", pytrace=False)


@pytest.fixture
def scene(request, build_dir, checker, deadman, libvirtd, real_time, figures):
    if not libvirtd.pid():
        libvirtd.start()  # a test before this one ended without it
    built = Scene(build_dir, checker, deadman, libvirtd, figures, request.config.getoption("--shared-machine"))
    yield built
    built.close()


@pytest.fixture
def hogs(deadman):
    """begin(cpu): three threads that want that CPU for themselves."""
    made = []

    def begin(cpu):
        for _ in range(3):
            made.append(subprocess.Popen([sys.executable, "-S", "-c", "while True:\n pass"]))
            os.sched_setaffinity(made[-1].pid, {cpu})
            deadman.add(pid=made[-1].pid)
    yield begin
    for hog in made:
        hog.kill()
        hog.wait()


@pytest.fixture
def owners(scene, tmp_path):
    return Owners(scene, tmp_path)


def pytest_terminal_summary(terminalreporter, config):
    for line in getattr(config, "pvsched_real_time", "").splitlines():
        terminalreporter.write_line(line)
    for name, values in getattr(config, "pvsched_figures", {}).items():
        terminalreporter.write_line(
            f"{name}: n={len(values)} p50={statistics.median(values):.1f} max={max(values):.1f}")
