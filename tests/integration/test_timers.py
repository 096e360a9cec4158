# SPDX-License-Identifier: GPL-2.0-or-later
"""Timers that the kernel does not start: each boost ends at once, and many of these stop all boosts for a while."""

import json

import attributes
from rig import proc


def test_refused_timers(scene, build_dir):
    domain = scene.domain(busy=0, idle=1, hz=1000)
    daemon = scene.daemon(env={"LD_PRELOAD": f"{build_dir}/tests/integration/no-timers.so"})
    daemon.wait_vcpu(domain, lambda v: v["denied_total"].get("no-deadline", 0) > 0, "a boost that ended for it")
    # That costs the boost alone, until there are a hundred in a second.
    daemon.wait_log(r"the kernel refused 100 timers of the tracer within a second \(Invalid argument\)", 20)
    daemon.wait_reason(domain, "no-tracer")
    assert not attributes.boosted(domain.tid)
    tracer = next(check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]
                  if check["name"] == "tracer")
    assert tracer["status"] == "fail" and "Invalid argument" in tracer["detail"], tracer
    held = daemon.status()["events"]["deadlines_refused"]
    # The hold ends by itself; what is refused then is counted anew.
    daemon.wait_log("vCPUs are boosted again", 15)
    proc.wait_for(lambda: daemon.status()["events"]["deadlines_refused"] > held, 10, "another boost to be tried")
    assert daemon.guardian(), "the guardian had nothing to do"
    assert "does not answer" not in daemon.log()
    daemon.stop()
    scene.assert_given_back()
