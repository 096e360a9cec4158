# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains under real KVM: found, seen at work, boosted, given back, through all that libvirt does to them."""

import pytest

from host import GUEST


def test_every_vcpu_is_discovered(guest, host):
    (domain,) = host.ctl("list")["domains"]
    assert (domain["name"], domain["state"], domain["vcpus"]) == (GUEST, "running", 2)
    assert {vcpu["vcpu"]: vcpu["tid"] for vcpu in host.vcpus()} == guest


def test_injections_are_seen(guest, host):
    """Module BTF and the kvm tracepoints: with emulated SVM, KVM injects each interrupt itself."""
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'interrupts\":[1-9]'", "an injection into a vCPU")
    assert "injections by KVM" in host.ctl("status")["sources"]["bpf"]["detail"]


def test_module_may_come_after_the_daemon(guest, host):
    """As at boot, where udev loads it: what is KVM's is attached with the first vCPU of KVM."""
    assert guest
    host.destroy_guest()
    modules = host.run("lsmod | grep -o '^kvm_[a-z]*'").strip()
    host.run(f"systemctl stop pvschedd && modprobe -r {modules} kvm && systemctl start pvschedd")
    try:
        assert "kvm_inj_virq" in host.ctl("status")["sources"]["bpf"]["detail"].partition("missing")[2]
    finally:
        host.run(f"modprobe {modules}")
    host.guest()
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'interrupts\":[1-9]'", "an injection into a vCPU")
    assert "kvm_inj_virq" not in host.ctl("status")["sources"]["bpf"]["detail"]


def test_deliveries_are_attributed(guest, host):
    """To each vCPU, by its timer, by the other one, and by QEMU when a command comes."""
    host.run(f"rig-guest ask '{GUEST}' ping x")
    host.wait_for(f"[ $(pvschedctl --json show '{GUEST}' | grep -o 'delivered\":[1-9]' | wc -l) -eq {len(guest)} ]",
                  "a delivery to each vCPU")
    events = host.ctl("status")["events"]
    assert events["deliveries"] > events["deliveries_unattributed"]
    assert (events["deliveries_in_handler"], events["deliveries_by_hardware"]) == (0, 0)
    # One that was on its way when the daemon began, or that met another of its vector, counts as not seen.
    assert events["injections_seen_permille"] >= 900


def test_interrupt_boosts_a_vcpu_that_waits(guest, host):
    """A vCPU that never sleeps is never armed: an interrupt that comes while it waits boosts it."""
    assert sorted(guest) == [0, 1]
    host.policy("observe")
    host.run(f"rig-guest ask '{GUEST}' stop")
    for cpu in guest:
        host.run(f"rig-guest ask '{GUEST}' background busy 1000000 1000100 600 {cpu}")
    try:
        # Little of its CPU is the guest's, so that it waits most of the time.
        host.run(f"virsh vcpupin '{GUEST}' 0 1; systemctl set-property --runtime machine.slice CPUWeight=10; "
                 "systemd-run --unit=vm-spinner -p CPUAffinity=1 sh -c 'while :; do :; done'")
        host.policy("latency")
        host.wait_for(f"rig-guest ask '{GUEST}' ping x >/dev/null; pvschedctl --json show '{GUEST}' | "
                      "grep -q 'interrupt_boosts_total\":[1-9]'",
                      "a boost for an interrupt", 120)
    finally:
        host.run("systemctl stop vm-spinner; systemctl set-property --runtime machine.slice CPUWeight=", check=False)
        host.destroy_guest()


def test_a_vcpu_that_yields_to_another_is_unboosted(guest, host):
    """It wakes up boosted, and yields to another vCPU many times in one run."""
    host.run(f"rig-guest ask '{GUEST}' stop")
    try:
        with host.unchanged():
            host.run(f"rig-guest ask '{GUEST}' background yield 8 50000 600 {max(guest)}")
            host.policy("latency")
            # With the tid, which comes before: its guest's kernel may yield on the other vCPU, too.
            host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q '\"tid\":{guest[max(guest)]},.*spins_total\":[1-9]'",
                          "a boost that ended for spinning", 120)
            vcpu = next(vcpu for vcpu in host.vcpus() if vcpu["tid"] == guest[max(guest)])
            assert vcpu["spin_signs"] >= 3 * vcpu["spins_total"] > 0, vcpu
            assert vcpu["denied_total"].get("spin", 0) >= vcpu["spins_total"], vcpu
    finally:
        host.destroy_guest()


def test_observing_changes_nothing(guest, host):
    """From before the daemon starts, to what it counts."""
    host.run("systemctl stop pvschedd")
    host.snapshot()
    host.run("systemctl start pvschedd")
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'would_boost_total\":[1-9]'", "a boost that would have been")
    assert host.differences() == []


def test_every_vcpu_is_boosted_and_given_back(guest, host):
    """From before the daemon starts until it has ended."""
    host.run("systemctl stop pvschedd")
    host.snapshot()
    host.run("systemctl start pvschedd && pvschedctl enable")
    host.boosted(guest)
    assert all(vcpu["boosts_total"] > 0 for vcpu in host.vcpus())
    host.run("systemctl stop pvschedd")
    assert host.differences() == []


def test_suspended_and_resumed(guest, host):
    with host.unchanged():
        host.boosted(guest)
        host.run(f"virsh suspend '{GUEST}'")
        host.wait_reason("paused")
        assert host.differences() == []
        host.run(f"virsh resume '{GUEST}'")
        host.boosted(guest)
    assert host.tids() == guest


def test_hotplugged_vcpu_is_boosted(guest, host):
    with host.unchanged():
        host.boosted(guest)
        host.run(f"virsh setvcpus '{GUEST}' 3 --live")
        tids = host.tids()
        assert {index: tids[index] for index in guest} == guest and sorted(tids) == [0, 1, 2]
        host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q '\"tid\":{tids[2]}[,}}]'", "the new vCPU to be found")
        # An idle CPU sleeps, and is armed for that reason alone; for that it must be online.
        assert host.run(f"rig-guest ask '{GUEST}' cpus").count('"cpus": 3') == 1
        host.wait_boosted(tids[2])
    host.destroy_guest()


def test_plugged_in_vhost_worker_is_watched(guest, host):
    """A kernel thread before Linux 6.4, a thread of QEMU since; like QEMU's main thread it works for the domain."""
    with host.unchanged():
        host.boosted(guest)
        host.run("printf \"<vsock model='virtio'><cid auto='yes'/></vsock>\" > /var/tmp/vsock.xml && "
                 f"virsh attach-device '{GUEST}' /var/tmp/vsock.xml --live && rm /var/tmp/vsock.xml")
        pid = int(host.run(f"cat '/run/libvirt/qemu/{GUEST}.pid'"))
        worker = int(host.run(f"cat /proc/[0-9]*/task/[0-9]*/stat 2>/dev/null | grep '(vhost-{pid})' | cut -d' ' -f1"))
        host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q '\"tid\":{worker},\"role\":\"vhost\",\"watched\":true'",
                      "the vhost worker to be watched")
        helpers = host.ctl(f"show '{GUEST}'")["domain"]["helpers"]
        watched = {helper["tid"]: helper["role"] for helper in helpers if helper["watched"]}
        assert watched[pid] == "emulator" and watched[worker] == "vhost"
        assert not set(watched) & set(guest.values())
    host.destroy_guest()


def test_saved_and_restored(guest, host):
    """What QEMU's threads have when it ends, and the new ones when it is back."""
    with host.unchanged():
        host.boosted(guest)
        host.run(f"virsh save '{GUEST}' /var/tmp/saved")
        host.wait_for("pvschedctl list --json | grep -q '\"domains\":\\[\\]'", "the domain to be forgotten")
        assert host.differences() == []
        host.run("virsh restore /var/tmp/saved && rm /var/tmp/saved")
        tids = host.tids()
        assert not set(tids.values()) & set(guest.values())
        host.boosted(tids)


def test_reset_guest_keeps_its_vcpus(guest, host):
    with host.unchanged():
        host.boosted(guest)
        host.run(f"virsh reset '{GUEST}'")
        assert host.tids() == guest
        host.boosted(guest)
    host.destroy_guest()


def test_qemu_killed_while_boosted_is_forgotten(guest, host):
    with host.unchanged():
        host.boosted(guest)
        host.run(f"kill -9 $(cat '/run/libvirt/qemu/{GUEST}.pid')")
        host.wait_for("pvschedctl list --json | grep -q '\"domains\":\\[\\]'", "the domain to be forgotten")
        assert host.ctl("status")["events"]["boosted_now"] == 0


@pytest.mark.any_kernel
def test_libvirtd_stopped_and_started(guest, host):
    """A boosted guest stays boosted, and what the administrator has stopped is not started."""
    units = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service"
    with host.unchanged():
        host.boosted(guest)
        try:
            host.run(f"systemctl stop {units}")
            host.wait_source("libvirt", False)
            before = {vcpu["vcpu"]: vcpu["boosts_total"] for vcpu in host.vcpus()}
            host.wait_for(f"[ $(pvschedctl --json show '{GUEST}' | grep -o 'boosts_total\":[0-9]*' | head -n 1 | "
                          f"cut -d: -f2) -gt {before[0]} ]", "a boost without libvirt")
            assert host.code("systemctl is-active --quiet libvirtd.service libvirtd.socket") != 0
        finally:
            host.run("systemctl start libvirtd.socket libvirtd-ro.socket libvirtd.service")
        host.wait_source("libvirt", True)
        assert {vcpu["vcpu"]: vcpu["tid"] for vcpu in host.vcpus()} == guest
        host.boosted(guest)
        # Callbacks are registered anew: what happens now is seen.
        host.run(f"virsh suspend '{GUEST}'")
        host.wait_reason("paused")
        host.run(f"virsh resume '{GUEST}'")
        host.boosted(guest)
