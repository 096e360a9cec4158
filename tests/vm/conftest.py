# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as users install it, on an emulated Debian 12 host. Run by scripts/test, or by hand as root:

    /usr/bin/python3 -m pytest tests/vm [--kernel 6.12] [--keep-host] [-k WORD]
"""

import os
import sys

import pytest
from _pytest.runner import runtestprotocol

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

# pylint: disable=wrong-import-position
from host import GUEST, Host  # noqa: E402

# An emulated kernel may die or hang: its test is repeated this often.
DEATHS_MAX = 2


def pytest_addoption(parser):
    parser.addoption("--kernel", default="6.1", help="of the emulated host: 6.1 or 6.12")
    parser.addoption("--keep-host", action="store_true", help="leaves the host running, for a look with "
                     "scripts/rig --name vm-6-1")


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="only root can make and boot the emulated host"))


def pytest_runtest_protocol(item, nextitem):
    """As always, but a test whose host died runs again on a new one, and it is said."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(DEATHS_MAX + 1):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        died = [report for report in reports if "HostDied" in str(report.longrepr or "")]
        if not died or attempt == DEATHS_MAX:
            break
        print(f"\n{item.nodeid}: {str(died[0].longrepr).splitlines()[-1]}: repeated on a new host")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session")
def _host(request):
    host = Host(request.config.getoption("--kernel"))
    yield host
    if not request.config.getoption("--keep-host"):
        host.clean()


@pytest.fixture
def host(_host):
    """The host, up, with pvschedd installed and running as shipped."""
    _host.machine()
    if _host.code("systemctl is-active --quiet pvschedd") != 0:
        _host.run("dpkg -s pvschedd >/dev/null 2>&1 || dpkg -i /opt/pvschedd-rig/packages/pvschedd_*.deb")
        _host.restart()
    return _host


@pytest.fixture
def guest(host):
    """Its vCPUs, as {index: tid}; observed at the beginning and the end of the test."""
    host.restart()
    tids = host.guest()
    host.wait_for(f"pvschedctl show '{GUEST}' >/dev/null 2>&1", "the guest to be discovered")
    yield tids
    host.run(f"pvschedctl policy set '{GUEST}' observe", check=False)
