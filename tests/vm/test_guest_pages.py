# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest that asks, through libpvsched, and the daemon under its unit with the drop-in as shipped."""

import json

import pytest

NAME = "vm asking:1"
DROP_IN = "/etc/systemd/system/pvschedd.service.d/guest-pages.conf"


@pytest.fixture
def asking(host):
    """Its vCPU's thread."""
    host.destroy_guest()  # there is no memory for two
    host.run(f"install -Dm644 /usr/share/pvschedd/guest-pages.conf {DROP_IN} && systemctl daemon-reload")
    try:
        host.restart()
        host.run(f"rig-guest start '{NAME}' --page", timeout=480)
        yield int(host.run(f"rig-guest tids '{NAME}'").split()[1])
    finally:
        host.run(f"virsh destroy '{NAME}'; rm -f {DROP_IN}; rmdir --ignore-fail-on-non-empty $(dirname {DROP_IN}); "
                 "systemctl daemon-reload", check=False)
        host.restart()


def shown(host):
    return host.ctl(f"show '{NAME}'")["domain"]


def ask(host, command):
    return json.loads(host.run(f"rig-guest ask '{NAME}' {command}", timeout=200))


def test_a_real_guest_is_heard(asking, host, figure):
    capabilities = host.show("CapabilityBoundingSet")["CapabilityBoundingSet"]
    assert "cap_sys_ptrace" in capabilities and "cap_dac_read_search" in capabilities
    host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"state\":\"open\"'", "its carrier to be found")
    host.run(f"pvschedctl policy set '{NAME}' latency")
    # the guest itself looks for a host now and then
    host.wait_for(f"rig-guest ask '{NAME}' page | grep -q '\"state\": \"enabled\"'", "the guest to be enabled", 120)
    # urgent from its wake-up to its sleep, 300 times
    told = ask(host, "rt 20000 300 20 1 500")
    assert told["cycles"] > 0 and told["after"]["state"] == "enabled", told
    vcpu = shown(host)["vcpus"][0]
    assert vcpu["tid"] == asking and vcpu["page"]["status"] == "enabled", vcpu
    assert vcpu["boosts_total"] > 0 and told["after"]["boosts"] > told["before"]["boosts"], (told, vcpu)
    applied = vcpu["request_to_applied_us"]
    assert applied["count"] > 0 and applied["max"] > 0, vcpu
    assert vcpu["page"]["invalid_total"] == 0, vcpu
    figure(f"a guest's events to the finished call, us: {applied}")
    host.run(f"pvschedctl policy set '{NAME}' observe")
    host.wait_for("pvschedctl --json status | grep -q '\"boosted_now\":0[,}]'", "all boosts to be given back")
