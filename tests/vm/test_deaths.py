# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemon and guardian end in every way there is, under systemd, while vCPUs are boosted."""

from host import GUEST


def restarted(host, pid):
    """Another daemon than PID is up, and has found the guest."""
    host.wait_for(f"[ $(systemctl show pvschedd -P MainPID) != {pid} ] && systemctl is-active --quiet pvschedd",
                  "the service to be started again")
    host.wait_for(f"pvschedctl show '{GUEST}' >/dev/null 2>&1", "the guest to be discovered again")


def test_stop_gives_everything_back(guest, host):
    host.calm()
    host.snapshot()
    host.boosted(guest)
    host.run("systemctl stop pvschedd")
    assert host.differences() == []
    assert host.show("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}


def test_killed_daemon_is_started_again(guest, host):
    with host.unchanged():
        host.boosted(guest)
        pid = host.main_pid()
        # The guardian is at work before systemd is.
        host.run(f"kill -9 {pid}")
        restarted(host, pid)
        assert host.show("NRestarts")["NRestarts"] == "1"
        host.boosted(guest)


def test_hung_daemon_is_ended_by_the_watchdog(guest, host):
    with host.unchanged():
        host.boosted(guest)
        pid, mark = host.main_pid(), host.cursor()
        host.run(f"kill -STOP {pid}")
        # Long before the watchdog: the tracer tells the guardian that a boost is overdue.
        host.wait_no_differences()
        restarted(host, pid)
        # Not by unit: with a match, journalctl 252 may leave out the first entry after a cursor.
        assert "pvschedd.service: Watchdog timeout" in host.run(f"journalctl --no-pager --after-cursor='{mark}'")


def test_killed_guardian_is_replaced(guest, host):
    with host.unchanged():
        host.boosted(guest)
        # Where the emulated CPUs stood still for a moment, the last one acted, and the next one is about to come.
        host.wait_for("pgrep -x pvschedd-guard", "a guardian")
        pid = host.main_pid()
        old = host.run("pgrep -x pvschedd-guard").strip()
        mark = host.cursor()
        host.run(f"kill -9 {old}")
        host.wait_for(f"pgrep -x pvschedd-guard | grep -qvx {old}", "another guardian")
        host.boosted(guest)
        assert host.main_pid() == pid
        assert any("the guardian is gone" in entry["MESSAGE"] for entry in host.journal(mark))
        # The new one does its work.
        host.run(f"kill -9 {pid}")
        restarted(host, pid)


def test_both_killed_is_mended_by_systemd(guest, host):
    """The guardian must not see the daemon die: it goes first, while the daemon stands still."""
    with host.unchanged():
        host.boosted(guest)
        pid = host.main_pid()
        host.run(f"kill -STOP {pid} && pkill -9 -x pvschedd-guard; kill -9 {pid}")
        # ExecStopPost= of the unit, before the next daemon.
        restarted(host, pid)
