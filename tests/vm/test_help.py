# SPDX-License-Identifier: GPL-2.0-or-later
"""vCPUs that wait for each other: which one waits for which, and what is done about that."""

from host import GUEST

LOAD = "vm-help-load"


def _sum(vcpus, key):
    return sum(vcpu["help"][key] for vcpu in vcpus)


def _ipis(host):
    return sum(vcpu["ipis_seen_total"] for vcpu in host.vcpus())


def test_the_awaited_vcpu_is_helped(guest, host):
    """A program in the guest waits for all its CPUs, while the host's other load has these."""
    assert sorted(guest) == [0, 1]
    host.run(f"rig-guest ask '{GUEST}' stop")
    # Little of the host is the guest's, so that a vCPU that is sent an interrupt often waits to run.
    host.run("systemctl set-property --runtime machine.slice CPUWeight=30; "
             f"for cpu in 0 1; do systemd-run --unit={LOAD}-$cpu -p CPUAffinity=$cpu sh -c 'while :; do :; done'; done")
    try:
        with host.unchanged():
            boosts = sum(vcpu["boosts_total"] for vcpu in host.vcpus())
            host.policy("throughput")
            pulsed = "\"pulses\":[1-9]"
            host.wait_for(f"rig-guest ask '{GUEST}' membarrier 2 >/dev/null; pvschedctl --json show '{GUEST}' | grep -q '{pulsed}'",
                          "a vCPU that was boosted since another one waited for it", 60)
            vcpus = host.vcpus()
            assert _ipis(host) > 0 and _sum(vcpus, "sent") + _sum(vcpus, "named") > 0, vcpus
            assert {vcpu["policy"] for vcpu in vcpus} == {"awaited-only@1"}, vcpus
            # Pulses are all that boosts these vCPUs.
            assert sum(vcpu["boosts_total"] for vcpu in vcpus) - boosts == _sum(vcpus, "pulses") > 0, vcpus

            # Without the switches nothing is traced of it, and no vCPU helps.
            host.policy("latency")
            before = _ipis(host), _sum(host.vcpus(), "pulses")
            host.run(f"rig-guest ask '{GUEST}' membarrier 2")
            assert (_ipis(host), _sum(host.vcpus(), "pulses")) == before
    finally:
        host.run(f"systemctl stop {LOAD}-0 {LOAD}-1; systemctl set-property --runtime machine.slice CPUWeight=", check=False)
        host.policy("observe")
