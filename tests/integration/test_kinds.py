# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies that can be chosen: by command, by the configuration, by the guest; and the caps below all of them."""

import contextlib
import os
import signal
import threading

import pytest

import attributes
from rig import proc
from rig.pages import FIFO, NORMAL, Region
from test_caps import MARGIN_PERMILLE, SECONDS, by_status

REFUSED = 1


def wait_policy(daemon, domain, policy, reason=None):
    """Until POLICY decides for the domain's first vCPU, and, if given, for that reason; that vCPU."""
    def decides(vcpu):
        return vcpu.get("policy") == policy and (reason is None or vcpu["reason"] == reason)

    return daemon.wait_vcpu(domain, decides, f"policy {policy}, reason {reason}")


def boosted_by(daemon, policy):
    """The names of the domains that a policy boosts, as `policies` says."""
    listed = {one["name"]: one for one in daemon.ctl_json("policies")["policies"]}
    return {domain["domain"] for domain in listed[policy]["domains"]}


def test_assigned_by_command(scene):
    """Under urgent-only a vCPU whose guest says nothing is never boosted; taken back, it is armed again."""
    domain, daemon = scene.boosted()
    assert boosted_by(daemon, "pvschedd") == {domain.name} and boosted_by(daemon, "urgent-only") == set()
    assert "urgent-only@1 until" in daemon.ctl("policy", "assign", domain.name, "urgent-only")
    wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
    assert boosted_by(daemon, "urgent-only") == {domain.name}
    shown = daemon.ctl_json("show", domain.name)["domain"]
    assert shown["policy"] == "urgent-only@1" and shown["sources"]["policy"] == "pvschedctl policy assign"
    assert "says no such thing now" in daemon.ctl("explain", domain.name)
    boosts = daemon.vcpu(domain)["boosts_total"]
    assert not attributes.boosted(domain.tid)
    halts = daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["halts"]
    proc.wait_for(lambda: daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["halts"] > halts + 100, 20,
                  "many halts in which it could have been armed")
    assert daemon.vcpu(domain)["boosts_total"] == boosts
    # for as long as a command says, awake as it is
    daemon.ctl("boost", domain.name, "--for", "5ms", check=False)
    assert "no policy is assigned" in daemon.ctl("policy", "assign", domain.name, "guest")
    wait_policy(daemon, domain, "pvschedd@1")
    daemon.wait_boosted(domain)
    daemon.stop()
    scene.assert_given_back()


def test_throughput_arms_nothing(scene):
    """A profile that changes no class until a vCPU waits for another one, which none does; and back at run time."""
    domain, daemon = scene.boosted()
    daemon.ctl("policy", "set", domain.name, "throughput", "--for", "10m")
    vcpu = wait_policy(daemon, domain, "awaited-only@1", "not-awaited")
    assert not attributes.boosted(domain.tid)
    shown = daemon.ctl_json("show", domain.name)["domain"]
    assert shown["policy"] == "awaited-only@1" and shown["sources"]["policy"] == "built in: profile throughput"
    assert "while a vCPU of its domain waits for it" in daemon.ctl("explain", domain.name)
    (before,) = shown["vcpus"]
    assert before["ipis_seen_total"] == 0 and set(before["help"].values()) == {0}, before
    proc.wait_for(lambda: daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["halts"] > before["halts"] + 100, 20,
                  "many halts in which it could have been armed")
    assert daemon.vcpu(domain)["boosts_total"] == vcpu["boosts_total"]
    daemon.ctl("policy", "unset", domain.name)
    daemon.wait_boosted(domain)
    daemon.stop()
    scene.assert_given_back()


def test_refused(scene):
    domain, daemon = scene.boosted()
    for wrong in ("urgent-only@2", "none", "pvschedd@1x"):
        answer = daemon.call("policy", "assign", domain.name, wrong)
        assert answer.returncode == REFUSED and "pvschedd@1, urgent-only@1" in answer.stderr, answer
    assert daemon.vcpu(domain)["policy"] == "pvschedd@1"


def test_persists(scene):
    """Over a restart, beside a profile that is set for a time."""
    domain, daemon = scene.boosted()
    daemon.ctl("policy", "assign", domain.name, "urgent-only@1", "--persist")
    daemon.ctl("policy", "set", domain.name, "interactive", "--for", "10m")
    listed = daemon.ctl_json("policy", "list")["policies"]
    assert {(one.get("profile"), one.get("policy"), one["in_force"]) for one in listed} == {
        ("interactive", None, True), (None, "urgent-only@1", True)}
    wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
    daemon.stop()
    daemon.start()
    daemon.wait_known(domain)
    wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
    assert daemon.vcpu(domain)["profile"] == "latency"
    daemon.ctl("policy", "unset", domain.name)
    daemon.wait_boosted(domain)


@pytest.mark.parametrize("where", ["profile", "entry"])
def test_configured(scene, where):
    domain = scene.domain()
    config = {"profiles": {"latency": {"policy": "urgent-only"}}} if where == "profile" else {
        "domains": {"name": {domain.name: {"profile": "latency", "policy": "urgent-only"}}}}
    daemon = scene.daemon(config=config)
    daemon.wait_known(domain)
    wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
    source = daemon.ctl_json("show", domain.name)["domain"]["sources"]["policy"]
    assert source.endswith(".policy"), source
    # a command goes before the configuration
    daemon.ctl("policy", "assign", domain.name, "pvschedd")
    daemon.wait_boosted(domain)


@pytest.mark.sanitized
def test_named_by_the_guest(scene):
    """The hello of its page says which policy the guest would have; an administrator may say another one."""
    domain = scene.domain(page="memfd")
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    memory = Region(domain.pid)
    try:
        memory.wait_host()
        first = memory.page()
        first.hello(name=b"urgent-only")
        first.wait_status("enabled")
        wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
        page = daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["page"]
        assert page["policy"] == "urgent-only@1" and page["status"] == "enabled"
        daemon.ctl("policy", "assign", domain.name, "pvschedd")
        daemon.wait_boosted(domain)
        assert first.status == "enabled"
        daemon.ctl("policy", "assign", domain.name, "guest")
        wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
        first.hello(name=b"of-the-future")
        first.wait_status("unknown-policy")
        wait_policy(daemon, domain, "pvschedd@1")
        first.hello(name=b"urgent-only", version=2)
        first.wait_status("policy-version-mismatch")
        daemon.wait_boosted(domain)
    finally:
        memory.close()


PIN = "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"


@contextlib.contextmanager
def agent(domain, name=b"pvschedd"):
    """The page of a domain's first vCPU, as an agent of its guest keeps it."""
    memory = Region(domain.pid)
    try:
        memory.wait_host()
        page = memory.page()
        page.runs(NORMAL)
        page.hello(name=name, agent=7)
        page.wait_status("enabled")
        yield page
    finally:
        memory.close()


@contextlib.contextmanager
def renewed(page, policy):
    """Such a task runs, and the agent says so again each 100 ms: its words hold for a second."""
    done = threading.Event()

    def renew():
        while not done.wait(0.1):
            page.runs(policy)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def spinner(cpu=0):
    """A fair thread that computes on CPU."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {cpu})
        signal.alarm(120)
        while True:
            pass
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_urgent_only_heeds_the_scheduler(scene):
    """A vCPU that never sleeps: boosted once it is preempted while a real-time task runs there, and not after that. The
    tracer reads the scheduler's words by QEMU's own address."""
    domain = scene.domain(busy=1000, idle=0, hz=100, tuning=PIN, page="memfd")
    daemon = scene.daemon()
    daemon.wait_known(domain)
    with spinner(), agent(domain, b"urgent-only") as page:
        wait_policy(daemon, domain, "urgent-only@1", "not-urgent")
        before = daemon.vcpu(domain)["boosts_total"]

        def boosted():
            page.runs(FIFO, 50)
            return daemon.vcpu(domain)["boosts_total"] >= before + 3

        proc.wait_for(boosted, 20, "boosts while a real-time task runs", step=0.02)
        seen = daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["page"]
        assert seen["agent"] and seen["read_by"] == "tracer" and seen["policy"] == "urgent-only@1", seen

        def ended():
            page.runs(NORMAL)
            return daemon.vcpu(domain)["reason"] == "not-urgent" and not attributes.boosted(domain.tid)

        proc.wait_for(ended, 20, "the boost to end when an ordinary task runs", step=0.02)
        after = daemon.vcpu(domain)["boosts_total"]
        switches = daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["preemptions"]

        def preempted():
            page.runs(NORMAL)
            return daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["preemptions"] > switches + 20

        proc.wait_for(preempted, 20, "many preemptions that were not urgent", step=0.02)
        assert daemon.vcpu(domain)["boosts_total"] == after


def test_ordinary_work_is_charged(scene):
    """One whose scheduler always says that ordinary work runs, and that works: what it ran boosted is charged."""
    domain = scene.domain(busy=10, idle=1, hz=1000, page="memfd")
    daemon = scene.daemon()
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    with agent(domain) as page, renewed(page, NORMAL):
        wait_policy(daemon, domain, "pvschedd@1")
        before = daemon.vcpu(domain)["boosted_ns"]
        inside, outside = by_status(daemon, domain, SECONDS)
        scene.figures.setdefault("boosted permille of one that says it is ordinary (share 200)", []).append(inside)
        assert outside.wanted > 200, "the vCPU did not even try"
        assert daemon.vcpu(domain)["boosted_ns"] > before
        assert max(inside, outside.boosted) <= 200 + MARGIN_PERMILLE + 0.5 / SECONDS, (inside, outside)


@pytest.mark.parametrize("busy, idle, hz", [(10, 1, 1000), (1000, 0, 100)], ids=["10ms-1ms", "full-speed"])
def test_caps_below_the_policy(scene, busy, idle, hz):
    """A daemon with one policy more, which wishes a boost at all times, and never gives one back. It boosts a vCPU that
    never sleeps, too, and that vCPU still has no more than its share."""
    domain = scene.domain(busy=busy, idle=idle, hz=hz)
    daemon = scene.daemon(name="pvschedd-always")
    daemon.wait_known(domain)
    daemon.ctl("policy", "assign", domain.name, "always")
    first = wait_policy(daemon, domain, "always@1")["boosts_total"]
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > first + 5, "boosts by that policy")
    inside, outside = by_status(daemon, domain, SECONDS)
    scene.figures.setdefault("boosted permille of a policy that always wishes (share 200)", []).append(inside)
    burst_permille = 0.5 / SECONDS
    assert outside.wanted > 200, "the vCPU did not even try"
    assert inside > 0, "it boosts what never sleeps"
    assert max(inside, outside.boosted) <= 200 + MARGIN_PERMILLE + burst_permille, (inside, outside)
    daemon.stop()
    scene.assert_given_back()


def test_the_product_has_no_such_policy(scene):
    daemon = scene.daemon()
    assert {one["name"] for one in daemon.ctl_json("policies")["policies"]} == {"pvschedd", "urgent-only", "awaited-only"}
