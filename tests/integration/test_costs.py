# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine takes is measured when the daemon starts, and what a boost is charged follows from that."""

import json
import re

from rig import proc

CHARGE_NS, TOKENS_NS = (12000, 60000), (10000, 40000)  # the bounds of the prices: docs/design/prices.md


def within(value, bounds):
    return bounds[0] <= value <= bounds[1]


def follows(costs):
    """The prices are those that follow from the costs, or the usual ones where a busy CPU left nothing to measure."""
    wake, call, timer = costs["wake_ns"], costs["call_ns"], costs["timer_ns"]
    charge = min(max(2 * wake + 10000, CHARGE_NS[0]), CHARGE_NS[1]) if wake else 30000
    tokens = min(max(timer + wake + call, TOKENS_NS[0]), TOKENS_NS[1]) if wake and call and timer else 20000
    return costs["charge_min_ns"] == charge and costs["switch_ns"] == min(2 * wake, 50000) and costs["tokens_min_ns"] == tokens


def doctor(daemon):
    checks = json.loads(daemon.ctl("doctor", "--json", check=False))["checks"]
    return next(check for check in checks if check["name"] == "costs")


def test_measured_at_the_start(scene):
    domain = scene.domain(hz=200)
    daemon = scene.daemon(profile="latency")
    costs = daemon.status()["costs"]
    print(f"costs: {costs}")
    assert follows(costs)
    assert within(costs["charge_min_ns"], CHARGE_NS) and within(costs["tokens_min_ns"], TOKENS_NS)
    check = doctor(daemon)
    assert check["status"] == "ok" and "a boosted run is charged" in check["detail"]
    daemon.wait_boosted(domain)

    def ran():
        vcpu = daemon.ctl_json("show", domain.uuid)["domain"]["vcpus"][0]
        return vcpu if vcpu["boosted_wakeups"] >= 50 else None
    vcpu = proc.wait_for(ran, 30, "boosted wake-ups")
    assert within(vcpu["charge_min_ns"], CHARGE_NS)
    assert follows(daemon.status()["costs"])
    price = re.search(r'^pvsched_price_seconds\{of="charge_min"\} ([0-9.]+)$', daemon.ctl("metrics"), re.M)
    assert price and within(float(price[1]) * 1e9 + 0.5, CHARGE_NS)
