# SPDX-License-Identifier: GPL-2.0-or-later
"""The domain does not notice: XML, taint, save and restore, suspend and resume, reset."""

import pytest

from rig import proc
from rig.libvirtd import virsh


def tainted(domain):
    """libvirt's words about taint in QEMU's log, and in dominfo."""
    log = proc.read(f"/var/log/libvirt/qemu/{domain.name}.log").rpartition("starting up")[2]
    return [line for line in log.splitlines() if "tainted" in line] + [
        line for line in virsh("dominfo", domain.uuid).splitlines() if "taint" in line.lower()]


def test_not_changed_and_not_tainted(scene):
    domain = scene.domain(vcpus=2)
    xml, info = virsh("dumpxml", domain.uuid), virsh("domstate", "--reason", domain.uuid)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    for words in (("show", domain.name), ("explain", domain.name), ("doctor",)):
        daemon.call(*words)
    assert virsh("dumpxml", domain.uuid) == xml
    assert daemon.stop() == 0
    assert virsh("dumpxml", domain.uuid) == xml
    assert virsh("domstate", "--reason", domain.uuid) == info
    assert not tainted(domain)


def test_suspend_and_resume(scene):
    domain, daemon = scene.boosted()
    virsh("suspend", domain.uuid)
    daemon.wait_reason(domain, "paused")
    scene.assert_given_back()
    assert daemon.ctl_json("show", domain.name)["domain"]["state"] == "paused"
    virsh("resume", domain.uuid)
    daemon.wait_boosted(domain)


def test_save_and_restore(scene):
    domain, daemon = scene.boosted()
    old = domain.tid
    path = f"{domain.directory}/saved"
    virsh("save", domain.uuid, path)
    proc.wait_for(lambda: domain.name not in daemon.names(), 5, "the saved domain to be forgotten")
    virsh("restore", path)
    domain.find_process()
    assert domain.tid != old
    daemon.wait_boosted(domain)
    assert daemon.vcpu(domain)["tid"] == domain.tid
    assert not tainted(domain)


def test_save_while_observed(scene):
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    path = f"{domain.directory}/saved"
    virsh("save", domain.uuid, path)
    virsh("restore", path)
    domain.find_process()
    daemon.wait_vcpu(domain, lambda v: v["tid"] == domain.tid, "the restored domain to be found")


def test_reset(scene):
    domain, daemon = scene.boosted()
    virsh("reset", domain.uuid)
    daemon.wait_boosted(domain)
    assert daemon.vcpu(domain)["tid"] == domain.tid


@pytest.mark.sanitized
def test_same_name_again(scene):
    """Destroyed and made anew at once: nothing of the old one carries over."""
    domain, daemon = scene.boosted()
    daemon.ctl("policy", "set", domain.name, "interactive")
    virsh("destroy", domain.uuid)
    again = scene.domain(domain.name)
    daemon.wait_boosted(again)
    shown = daemon.ctl_json("show", domain.name)["domain"]
    assert shown["uuid"] == again.uuid and shown["profile"] == "latency"
    assert len(daemon.status()["vcpus"]) == 1


def test_metadata_change_does_not_hurt(scene):
    domain, daemon = scene.boosted()
    for number in range(20):
        virsh("metadata", domain.uuid, "--live", "--uri", "urn:pvsched:test", "--key", "p",
              "--set", f"<x n='{number}'/>")
    daemon.wait_boosted(domain)


def test_summary_in_the_log(scene):
    """One line per domain and interval, for a domain in which something happened."""
    domain = scene.domain(name="pvsched-it a b:1")
    daemon = scene.daemon(config={"summary_interval_s": 1})
    daemon.wait_boosted(domain)
    daemon.wait_log(r'domain "pvsched-it a b:1", profile latency: \d+ boosts in \d+ s; boosted for \d+ permille')
