# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirtd restarted, stopped, stopped by a signal: known domains are still managed."""

import os
import select
import signal
import socket
import time

import pytest

from rig import proc
from rig.libvirtd import virsh

SOCKETS = ("/run/libvirt/libvirt-sock-ro", "/run/libvirt/libvirt-sock")


def libvirt_is_ok(daemon):
    return daemon.status()["sources"]["libvirt"]["ok"]


def test_killed_and_started_again(scene):
    libvirtd = scene.own_libvirtd()
    first, daemon = scene.boosted(name="pvsched-it-first")
    libvirtd.stop(signal.SIGKILL)
    proc.wait_for(lambda: not libvirt_is_ok(daemon), 10, "status to say that libvirt is gone")
    daemon.wait_boosted(first)
    libvirtd.start()
    proc.wait_for(lambda: libvirt_is_ok(daemon), 30, "the connection to be there again")
    assert daemon.vcpu(first)["tid"] == first.tid
    daemon.wait_boosted(first)
    # callbacks are registered anew: what happens now is seen
    second = scene.domain("pvsched-it-second")
    daemon.wait_boosted(second)
    virsh("suspend", first.uuid)
    daemon.wait_reason(first, "paused")
    virsh("resume", first.uuid)
    daemon.wait_boosted(first)


def test_domain_that_ended_while_libvirtd_was_away(scene):
    libvirtd = scene.own_libvirtd()
    gone = scene.domain("pvsched-it-gone")
    stays, daemon = scene.boosted(name="pvsched-it-stays")
    daemon.wait_boosted(gone)
    libvirtd.stop(signal.SIGKILL)
    os.kill(gone.pid, signal.SIGKILL)
    proc.wait_for(lambda: gone.name not in daemon.names(), 1, "the domain to be forgotten without libvirt")
    libvirtd.start()
    proc.wait_for(lambda: libvirt_is_ok(daemon), 30, "the connection to be there again")
    assert gone.name not in daemon.names()
    daemon.wait_boosted(stays)


def _listen(path):
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    return listener


def test_stopped_libvirtd_is_not_started_by_a_connection(scene):
    """Sockets in place of libvirt's stand for those of systemd: a connection would start libvirtd."""
    libvirtd = scene.own_libvirtd()
    domain, daemon = scene.boosted()
    libvirtd.stop()
    listeners = [_listen(path) for path in SOCKETS]
    try:
        proc.wait_for(lambda: not libvirt_is_ok(daemon), 10, "status to say that libvirt is gone")
        # longer than the interval at which the daemon looks, and with what makes it look at once
        with open("/run/libvirtd.pid", "a", encoding="ascii"):
            pass
        connected, _, _ = select.select(listeners, [], [], 7)
        assert not connected, "pvschedd connected to the socket of a stopped libvirtd"
        assert not proc.pids_by_name("libvirtd")
        daemon.wait_boosted(domain)
        assert "neither libvirtd nor virtqemud runs" in daemon.status()["sources"]["libvirt"]["detail"]
    finally:
        for listener, path in zip(listeners, SOCKETS):
            listener.close()
            os.unlink(path)
    libvirtd.start()
    proc.wait_for(lambda: libvirt_is_ok(daemon), 30, "the connection to be there again")


@pytest.mark.parametrize("command", [("release",), ("disable",)])
def test_frozen_libvirtd_delays_nothing(scene, command):
    libvirtd = scene.own_libvirtd()
    domain, daemon = scene.boosted()
    libvirtd.freeze()
    try:
        begin = time.monotonic()
        assert daemon.call(*command).returncode == 0
        taken = time.monotonic() - begin
        scene.assert_given_back()
        assert taken < 1, f"pvschedctl {command[0]} took {taken:.1f} s while libvirtd was stopped"
        assert daemon.call("enable").returncode == 0
        daemon.wait_boosted(domain)
    finally:
        libvirtd.thaw()


def test_starts_without_libvirtd_and_finds_it_later(scene):
    libvirtd = scene.own_libvirtd()
    domain = scene.domain()
    libvirtd.stop()
    daemon = scene.daemon()
    assert not libvirt_is_ok(daemon)
    assert not proc.pids_by_name("libvirtd")
    libvirtd.start()
    daemon.wait_boosted(domain, seconds=30)
