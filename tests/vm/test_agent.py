# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest with pvsched-agent from its package, and the daemon under its unit with the drop-in as shipped."""

from agent_guest import AGENT_HEARD, IS_URGENT, LEASE_S, MARGIN, NAME, ORDINARY, REAL_TIME, URGENT_ONLY, VCPU

RUNS_SECONDS = 4  # so long the boosts are counted


def test_live(agent, figure):
    """A running domain gets a device, hints flow, the device goes, and nothing is left."""
    host = agent.host
    agent.is_unplugged()
    before = agent.xml()
    assert "vsock" not in before and agent.shown()["agent"]["state"] == "absent"
    agent.ask("agent start")
    channel = agent.status()["channel"]
    assert not channel["served"] and "no vsock device" in channel["last_error"], channel
    figure(f"from attach --agent --live until an agent that waited is served: {agent.attach()} ms")
    agent.ask("agent stop")
    agent.wait_state("awaited")
    figure(f"from the agent's start until it is served: {agent.serve() / 1000:.0f} ms")
    host.wait_for(AGENT_HEARD, "its words to be read")
    agent.agree()
    vcpu = agent.vcpu()
    assert vcpu["page"]["read_by"] == "tracer" and vcpu["page"]["invalid_total"] == 0, vcpu
    assert "taint" not in host.run(f"virsh dominfo '{NAME}'; cat '/var/log/libvirt/qemu/{NAME}.log'")
    agent.detach()
    agent.wait_state("absent")
    assert agent.xml() == before
    channel = agent.status()["channel"]
    assert channel["state"] == "closed" and not channel["served"], channel
    assert host.run("ls /dev/shm | grep pvsched; true") == ""


def test_words_of_the_scheduler(agent, figure):
    """By the default policy a vCPU is boosted as it wakes up, and yields when its guest says that the work is ordinary."""
    agent.serve()
    agent.compete()
    agent.policy("latency")
    agent.ask(ORDINARY)
    agent.host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"request\":\"ordinary\"'", "ordinary work to be said")
    agent.host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"yields_total\":[1-9]'", "a boost that ordinary work ends")
    agent.ask("stop", REAL_TIME)
    agent.host.wait_for(IS_URGENT, "a real-time task to be said")
    vcpu = agent.vcpu()
    assert vcpu["page"]["read_by"] == "tracer" and vcpu["policy"].startswith("pvschedd"), vcpu
    figure(f"the default policy: {vcpu['boosts_total']} boosts, {vcpu['yields_total']} yields")


def test_urgent_only(agent, figure):
    """The guest's configuration chooses the policy: boosts are for its real-time tasks, and for nothing else."""
    agent.serve(URGENT_ONLY)
    assert agent.shown()["agent"]["policy"] == "urgent-only"
    agent.compete()
    agent.policy("latency")
    agent.ask(ORDINARY)
    agent.host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"policy\":\"urgent-only'", "the policy to be chosen")
    ordinary = agent.boosts(RUNS_SECONDS)
    agent.ask("stop", REAL_TIME)
    agent.host.wait_for(IS_URGENT, "a real-time task to be said")
    urgent = agent.boosts(RUNS_SECONDS)
    figure(f"urgent-only: in {RUNS_SECONDS} s {ordinary} boosts for ordinary work, {urgent} for real-time work")
    assert urgent > 0, agent.shown()
    # the guest's kernel has real-time threads, too, which seldom run
    assert ordinary <= urgent / 4, (ordinary, urgent)
    agent.policy("observe")
    agent.agree()


def test_agent_killed(agent, figure):
    """Its last word was urgent: it lapses, nothing is boosted for it, and another agent is heard."""
    host = agent.host
    agent.serve(URGENT_ONLY)
    agent.compete()
    agent.policy("latency")
    agent.ask(REAL_TIME)
    host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"boosts_total\":[1-9]'", "a boost")
    host.wait_for(IS_URGENT, "the real-time task to be said")
    took = agent.timed(f"rig-guest ask '{NAME}' agent kill", f"! {AGENT_HEARD}")
    figure(f"from kill -9 of the agent until its words count no more: {took} ms")
    assert took < LEASE_S * 1000 * MARGIN
    host.wait_for("pvschedctl --json status | grep -q '\"boosted_now\":0[,}]'", "all boosts to be given back")
    assert agent.shown()["agent"]["state"] == "awaited"
    # the guest does not say so any more, and this policy is the guest's
    host.run(f"pvschedctl policy assign '{NAME}' urgent-only")
    try:
        assert agent.boosts(RUNS_SECONDS) == 0
    finally:
        host.run(f"pvschedctl policy assign '{NAME}' guest")
    agent.ask("agent start 60")
    host.wait_for(IS_URGENT, "the next agent to be heard")
    assert agent.boosts(RUNS_SECONDS) > 0


def test_daemon_restarts(agent):
    """The agent comes back by itself, and is proven anew."""
    agent.serve()
    first = agent.shown()["agent"]["generation"]
    agent.host.restart()
    agent.wait_state("served")
    assert agent.shown()["agent"]["generation"] != first
    agent.host.wait_for(AGENT_HEARD, "its words to be read")
    assert agent.status()["channel"]["connects"] >= 2
    agent.agree()


def test_avoid(agent):
    """The guest is told which of its vCPUs to leave alone."""
    agent.serve()
    for vcpus, told in ((str(VCPU), True), ("none", False)):
        agent.host.run(f"pvschedctl avoid '{NAME}' {vcpus}")
        agent.host.wait_for(f"rig-guest ask '{NAME}' agent status | grep -q '\"avoid\": {str(told).lower()}.*\"cpu\": 2'",
                            "the guest to be told")
        # of a CPU that has slept since the agent's start the host has said nothing yet
        assert [cpu.get("avoid", False) for cpu in agent.status()["cpus"][:2]] == [False, told]


def test_cpus_come_and_go(agent):
    agent.serve()
    for n in (3, 2):
        agent.host.run(f"virsh setvcpus '{NAME}' {n} --live")
        # without udev no program switches a new one on
        agent.host.wait_for(f"rig-guest ask '{NAME}' cpus | grep -q '\"cpus\": {n}}}'", f"the guest to have {n} CPUs")
        agent.host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"policy_version\":1,\"pages\":{n},'", f"{n} pages")
    agent.agree()
