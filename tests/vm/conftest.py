# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as users install it, on an emulated Debian host. Run by scripts/test, or by hand as root:

    /usr/bin/python3 -m pytest tests/vm [--host trixie] [--kernel 6.12] [--keep-host] [-k WORD]

All tests of a run share one host and, mostly, one guest: a test puts back what it changes.
"""

import os
import sys

import pytest
from _pytest.runner import runtestprotocol

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

# pylint: disable=wrong-import-position
from agent_guest import AgentGuest  # noqa: E402
from host import GUEST, Host  # noqa: E402
from pair import Pair  # noqa: E402
from rig.host import recipe  # noqa: E402
from rig.proc import RigError  # noqa: E402

# An emulated kernel may die or hang: its test is repeated so often, on a new host.
DEATHS_MAX = 1
# What disturbs the others comes after them.
ORDER = ("test_host.py", "test_preempt_rt.py", "test_tracer.py", "test_unit.py", "test_journal.py", "test_metrics.py",
         "test_kvm.py", "test_help.py", "test_levers.py", "test_trial.py", "test_guest_pages.py", "test_agent.py",
         "test_reader.py", "test_clocks.py",
         "test_step_aside.py", "test_deaths.py", "test_packages.py", "test_bare.py", "test_proxmox.py", "test_across.py", "test_migration.py", "test_rig.py")
# Of packages that an older Debian built.
NEWER_ONLY = ("test_across.py",)
# On a PREEMPT_RT kernel nothing is boosted, which no other test is about.
PREEMPT_RT_ONLY = ("test_preempt_rt.py",)


def pytest_addoption(parser):
    parser.addoption("--host", choices=recipe.SUITES, default=recipe.SUITES[0], help="the emulated host's Debian")
    parser.addoption("--kernel", choices=recipe.KERNELS, help="its kernel, as scripts/rig --help has them")
    parser.addoption("--every", action="store_true", help="runs the tests that no kernel changes, too, on any host")
    parser.addoption("--name", help="its name, so that two runs can go on at once (default: such as vm-6-1 with "
                     "kernel 6.1, vm-trixie-6-12)")
    parser.addoption("--times", type=int, default=6, help="how often the test of levers kills the daemon in each profile")
    parser.addoption("--keep-host", action="store_true", help="leaves the host running, for use with "
                     "scripts/rig --name vm-6-1")


def pytest_configure(config):
    try:
        _, config.option.kernel = recipe.choose(config.option.host, config.option.kernel)
    except RigError as error:
        raise pytest.UsageError(str(error)) from None
    config.addinivalue_line("markers", "any_kernel: no kernel changes it: runs on Debian 12 with 6.1 alone")
    config.deaths, config.notes, config.figures, config.about = [], [], [], None
    config.enabled = {}


def _is_default(config):
    return recipe.choose(config.option.host, config.option.kernel) == recipe.choose()


def _name(config):
    words = [] if config.option.host == recipe.SUITES[0] else [config.option.host]
    return "-".join(["vm", *words, config.option.kernel.replace(".", "-")])


def pytest_collection_modifyitems(config, items):
    realtime = config.option.kernel.endswith("-rt")
    elsewhere = [item for item in items if (item.path.name in PREEMPT_RT_ONLY) != realtime or
                 item.path.name in NEWER_ONLY and config.option.host == recipe.SUITES[0]]
    items[:] = [item for item in items if item not in elsewhere]
    config.hook.pytest_deselected(items=elsewhere)
    items.sort(key=lambda item: ORDER.index(item.path.name))
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="only root can make and boot the emulated host"))
    elif not _is_default(config) and not config.getoption("--every"):
        left_out = [item for item in items if item.get_closest_marker("any_kernel")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        config.left_out = left_out


def _say(config, text):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.ensure_newline()
    reporter.write_line(text)


def pytest_runtest_protocol(item, nextitem):
    """Runs a test as always; one whose host died runs again on a new host, with a message."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(DEATHS_MAX + 1):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        died = [report for report in reports if "HostDied" in str(report.longrepr or "")]
        if not died:
            break
        cause = str(died[0].longrepr).splitlines()[-1].rpartition("HostDied: ")[2]
        item.config.deaths.append(f"{item.nodeid}: {cause}")
        if attempt < DEATHS_MAX:
            _say(item.config, f"{item.nodeid}: {cause}: repeated on a new host")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter, config):
    if config.about:
        terminalreporter.write_line(f"host: {config.about}")
    for text in config.figures:
        terminalreporter.write_line(f"measured on the emulated host: {text}")
    for text in config.deaths:
        terminalreporter.write_line(f"an emulated host died: {text}")
    for name, counts in config.enabled.items():
        terminalreporter.write_line(f"boosting was switched on again on {name}: " + (
            ", ".join(f"{why}: {count}" for why, count in counts.items()) or "the host was gone before that was counted"))
    for text in config.notes:
        terminalreporter.write_line(f"done again: {text}")
    left_out = getattr(config, "left_out", [])
    if left_out:
        terminalreporter.write_line(f"left out on {config.option.host} with {config.option.kernel}: {len(left_out)} tests "
                                    "that no kernel changes (--every runs them)")


@pytest.fixture
def figure(request):
    """figure(TEXT): shown at the end. On an emulated host times are no verdict."""
    return request.config.figures.append


@pytest.fixture(scope="session")
def _host(request):
    option = request.config.option
    host = Host(option.host, option.kernel, option.name or _name(request.config))
    yield host
    request.config.notes += host.notes
    request.config.enabled[host.name] = host.enabled()
    if not request.config.getoption("--keep-host"):
        host.clean()


@pytest.fixture
def host(request, _host):
    """The host, up, with pvschedd installed and running as shipped."""
    _host.ensure()
    if request.node.path.name == "test_rig.py":
        _host.enabled()  # while it lives
    request.config.about = request.config.about or _host.about()
    return _host


@pytest.fixture
def guest(host):
    """Its vCPUs, as {index: tid}; observed at the beginning and the end of the test."""
    tids = host.guest()
    host.policy("observe")
    yield tids
    host.run(f"pvschedctl policy set '{GUEST}' observe", check=False)


@pytest.fixture(scope="module")
def _pair(request, _host):
    pair = Pair(_host)
    yield pair
    request.config.enabled[pair.there.name] = pair.there.enabled()
    if not request.config.getoption("--keep-host"):
        pair.there.clean()


@pytest.fixture
def pair(_pair, host, guest):
    """Two hosts that can migrate to each other; the guest runs, observed, on the first."""
    _pair.prepare()
    yield _pair
    _pair.come_home()


@pytest.fixture(scope="module")
def _agents(_host):
    """Undoes what AgentGuest has done to the host."""
    yield
    if _host.running():
        AgentGuest.put_back(_host)


@pytest.fixture
def agent(_agents, host):
    """The guest with an agent, observed at the end; with a device and a running agent, or without, as the last test left it."""
    made = AgentGuest(host)
    made.ensure()
    yield made
    made.settle()
