# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains under real KVM: found, seen at work, boosted, given back, through all that libvirt does to them."""

from host import GUEST


def vcpus(host):
    return host.ctl(f"show '{GUEST}'")["domain"]["vcpus"]


def rest(host):
    """No boosts any more: what must be as before now is."""
    host.run("systemctl stop pvschedd")


def test_every_vcpu_is_discovered(guest, host):
    (domain,) = host.ctl("list")["domains"]
    assert (domain["name"], domain["state"], domain["vcpus"]) == (GUEST, "running", 2)
    assert {vcpu["vcpu"]: vcpu["tid"] for vcpu in vcpus(host)} == guest


def test_observing_changes_nothing(guest, host):
    rest(host)
    host.snapshot()
    host.run("systemctl start pvschedd")
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'would_boost_total\":[1-9]'", "a boost that would have been")
    assert host.differences() == []


def test_injections_are_seen(guest, host):
    """Module BTF and the kvm tracepoints: with emulated SVM, KVM injects each interrupt itself."""
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'interrupts\":[1-9]'", "an injection into a vCPU")
    assert "injections by KVM" in host.ctl("status")["sources"]["bpf"]["detail"]


def test_every_vcpu_is_boosted_and_given_back(guest, host):
    rest(host)
    host.snapshot()
    host.run("systemctl start pvschedd && pvschedctl enable")
    host.wait_for(f"pvschedctl policy set '{GUEST}' latency", "the guest to be discovered")
    for tid in guest.values():
        host.wait_boosted(tid)
    assert all(vcpu["boosts_total"] > 0 for vcpu in vcpus(host))
    rest(host)
    assert host.differences() == []


def test_domain_killed_while_boosted_is_forgotten(guest, host):
    host.run(f"pvschedctl policy set '{GUEST}' latency")
    host.wait_boosted(guest[0])
    host.run(f"kill -9 $(cat '/run/libvirt/qemu/{GUEST}.pid')")
    host.wait_for("pvschedctl list --json | grep -q '\"domains\":\\[\\]'", "the domain to be forgotten")
    assert host.ctl("status")["events"]["elevated_now"] == 0
