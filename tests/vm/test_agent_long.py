# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with its agent through all that libvirt does to a guest, and with kernels other than the host's."""

import pytest

from agent_guest import AGENT_HEARD, IS_URGENT, NAME, REAL_TIME, URGENT_ONLY, AgentGuest

pytestmark = pytest.mark.long

SAVED = "/var/tmp/vm-agent"
# Kernels of guests, as hosts have them.
GUESTS = (("bookworm", "6.1"), ("bookworm", "6.12"), ("trixie", "newest"))


@pytest.fixture
def urgent(agent):
    """A real-time task runs in the guest, and the agent says so."""
    agent.serve(URGENT_ONLY)
    agent.ask(REAL_TIME)
    agent.host.wait_for(IS_URGENT, "the real-time task to be said")
    return agent


def assert_served_anew(agent, first, host=None):
    """With another generation than the first one, by the same agent, and what it says is read."""
    host = host or agent.host
    host.wait_for(f"{agent.state_is('served')} && ! pvschedctl --json show '{NAME}' | grep -q {first}", "another generation")
    host.wait_for(IS_URGENT, "the real-time task to be said again")


def test_save_and_restore(urgent, figure):
    first = urgent.shown()["agent"]["generation"]
    urgent.host.run(f"virsh save '{NAME}' {SAVED}", timeout=240)
    try:
        took = urgent.timed(f"virsh restore {SAVED}", urgent.state_is("served"))
    finally:
        urgent.host.run(f"rm -f {SAVED}")
    figure(f"from virsh restore until the agent is served again: {took} ms")
    assert_served_anew(urgent, first)
    assert urgent.status()["channel"]["connects"] == 2
    urgent.ask("stop")
    urgent.agree()


def test_reset(urgent, figure):
    """The words of the kernel before count no more, and the agent of the next one is heard."""
    first = urgent.shown()["agent"]["generation"]
    urgent.host.run(f"rig-guest reset '{NAME}'", timeout=240)
    assert urgent.shown()["agent"]["state"] == "awaited"
    assert urgent.host.code(AGENT_HEARD) != 0
    figure(f"after a reset, from the agent's start until it is served: {urgent.serve() / 1000:.0f} ms")
    assert urgent.shown()["agent"]["generation"] != first
    urgent.agree()


def test_migration(urgent, _pair, figure):
    """There and back, between two hosts with the drop-in."""
    here, there = _pair.here, _pair.there
    _pair.prepare(NAME)
    urgent.send_image(there)
    AgentGuest.enable_pages(there)
    first = urgent.shown()["agent"]["generation"]
    try:
        for source, target in ((here, there), (there, here)):
            _pair.migrate(source, target, NAME)
            took = urgent.timed("true", urgent.state_is("served"), target)
            figure(f"from the end of virsh migrate until the agent is served again: {took} ms")
            assert_served_anew(urgent, first, target)
            first = target.ctl(f"show '{NAME}'")["domain"]["agent"]["generation"]
            source.wait_for("pvschedctl list --json | grep -q '\"domains\":\\[\\]'", "the guest that has left to be forgotten")
    finally:
        AgentGuest.put_back(there)
    urgent.ask("stop")
    urgent.agree()


@pytest.mark.parametrize("debian, kernel", GUESTS)
def test_other_kernel_in_the_guest(_agents, host, debian, kernel, figure):
    """What its tracer sees there, its pages in that kernel's memory, and that its words boost."""
    agent = AgentGuest(host, debian, kernel)
    agent.ensure()
    try:
        took = agent.serve(URGENT_ONLY)
        said, tracer = agent.shown()["agent"], agent.status()["tracer"]
        assert tracer["sources_missing"] == ["interrupts", "softirqs", "vectors"], tracer
        agent.compete()
        agent.policy("latency")
        agent.ask(REAL_TIME)
        host.wait_for(f"pvschedctl --json show '{NAME}' | grep -q '\"boosts_total\":[1-9]'", "a boost by its words")
        agent.ask("stop")
        agent.policy("observe")
        agent.agree()
        agent.serve()
        assert agent.status()["tracer"]["sources_missing"] == []
        figure(f"a guest with Linux {said['kernel']}: served {took / 1000:.0f} ms after the agent's start")
    finally:
        agent.settle()
        host.run(f"virsh destroy '{NAME}'", check=False)
