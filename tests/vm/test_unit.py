# SPDX-License-Identifier: GPL-2.0-or-later
"""The service under systemd as shipped: readiness, watchdog, reload, restart; its exposure."""

import re

import pytest

from host import GUEST


@pytest.mark.any_kernel
def test_tells_systemd_when_it_is_ready(host):
    mark = host.cursor()
    host.restart()
    assert host.show("Type", "ActiveState", "SubState", "WatchdogUSec") == {
        "Type": "notify", "ActiveState": "active", "SubState": "running", "WatchdogUSec": "5s"}
    ready = host.wait_journal("ready", mark)
    started = host.journal(mark)[0]
    entered = int(host.show("ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])
    assert int(started["__MONOTONIC_TIMESTAMP"]) <= entered
    # systemd says "Started" when it hears READY=1, which comes after the daemon's own word.
    assert int(ready["_SOURCE_REALTIME_TIMESTAMP"]) > 0 and abs(int(ready["__MONOTONIC_TIMESTAMP"]) - entered) < 10**6


@pytest.mark.any_kernel
def test_reload_takes_a_new_configuration(guest, host):
    host.restart()  # a profile set by command would hold until then
    host.wait_for(f"pvschedctl show '{GUEST}' >/dev/null 2>&1", "the guest to be discovered")
    mark, pid = host.cursor(), host.main_pid()
    host.write("/etc/pvschedd/pvschedd.d/50-test.json",
               '{"version": 1, "domains": {"glob": {"vm*": {"profile": "interactive"}}}}\n')
    try:
        host.run("systemctl reload pvschedd")
        host.wait_journal("config-loaded", mark)
        assert host.main_pid() == pid
        assert host.ctl(f"show '{GUEST}'")["domain"]["profile"] == "interactive"
    finally:
        host.run("rm /etc/pvschedd/pvschedd.d/50-test.json; systemctl reload pvschedd")


@pytest.mark.any_kernel
def test_reload_of_a_broken_configuration_keeps_the_old_one(host):
    mark, pid = host.cursor(), host.main_pid()
    host.write("/etc/pvschedd/pvschedd.d/50-test.json", '{"version": 1, "host": {"rt_priority": -1}}\n')
    try:
        host.run("systemctl reload pvschedd")
        refused = host.wait_journal("config-refused", mark)
        assert "50-test.json" in refused["MESSAGE"]
        assert host.main_pid() == pid
    finally:
        host.run("rm /etc/pvschedd/pvschedd.d/50-test.json; systemctl reload pvschedd")


@pytest.mark.any_kernel
def test_exposure_as_shipped(host):
    text = host.run("systemd-analyze security pvschedd --no-pager | tail -n 1")
    match = re.search(r"exposure level for pvschedd.service: ([\d.]+)", text)
    assert float(match[1]) <= 2.0, text


@pytest.mark.any_kernel
def test_socket_of_agents_comes_and_goes_with_the_service(host):
    """Where the kernel has vhost_vsock; elsewhere the service starts without it. None of its own is opened."""
    host.restart()
    there = host.code("test -e /dev/vhost-vsock") == 0
    assert host.ctl("status")["agents"]["listening"] is there
    state = host.show("ActiveState", "SubState", "Result", unit="pvschedd.socket")
    assert state == {"ActiveState": "active" if there else "inactive", "SubState": "running" if there else "dead",
                     "Result": "success"}
    host.run("systemctl stop pvschedd")
    assert host.show("ActiveState", unit="pvschedd.socket")["ActiveState"] == "inactive"
    host.restart()
    assert host.ctl("status")["agents"]["listening"] is there
