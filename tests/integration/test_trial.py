# SPDX-License-Identifier: GPL-2.0-or-later
"""trial: real windows with and without boosts, a verdict, and afterwards everything as it was found."""

import glob
import json
import os
import socket
import subprocess
import time
import xml.etree.ElementTree

import pytest

from rig import proc
from rig.daemon import program
from rig.libvirtd import virsh

HZ = 100
SHORT = ("--for", "12s", "--window", "1s")
LONG = ("--for", "120s", "--window", "1s..2s")
WHOLE = ("time", "clear", "neighbours")


class Tool:
    """pvschedctl trial, which follows the trial that it has begun."""

    def __init__(self, daemon, domain, deadman, *words):
        self.process = subprocess.Popen([program(daemon.build_dir, "pvschedctl"), *daemon.options(), "trial", domain.name,
                                         *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadman.add(pid=self.process.pid)

    def end(self):
        """Waits for its end; its exit status, output, errors."""
        out, error = self.process.communicate(timeout=60)
        return self.process.returncode, out, error

    def kill(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def tool(deadman):
    made = []

    def begin(daemon, domain, *words):
        made.append(Tool(daemon, domain, deadman, *words))
        return made[-1]
    yield begin
    for one in made:
        one.kill()


def _trial(daemon, domain):
    """What the daemon knows of its trial, or None."""
    request = {"verb": "trial-poll", "domain": domain if isinstance(domain, str) else domain.name}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(f"{daemon.runtime_dir}/control.sock")
        with client.makefile("rw") as lines:
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
    return answer["result"] if answer["ok"] else None


def _wait_trial(daemon, domain, accept, what, seconds=40):
    last = {}

    def look():
        last["seen"] = _trial(daemon, domain)
        return last["seen"] if last["seen"] and accept(last["seen"]) else None
    try:
        return proc.wait_for(look, seconds, what)
    except proc.RigError as error:
        raise proc.RigError(f"{error}; last seen {json.dumps(last.get('seen'))}") from None


def _begun(daemon, domain):
    return _wait_trial(daemon, domain, lambda trial: trial["state"] == "running", "a trial to run")


def _boosting(daemon, domain):
    """Until a window boosts, by the kernel's word."""
    _wait_trial(daemon, domain, lambda trial: trial["state"] == "running" and trial["window"]["boosts"], "a window that boosts")
    daemon.wait_boosted(domain)


def _found(daemon, domain):
    """What a trial must leave as it is."""
    path = f"{daemon.state_dir}/policies.json"
    kept = open(path, encoding="utf-8").read() if os.path.exists(path) else None
    policy = daemon.ctl_json("policy", "get", domain.name)
    return {"kept": kept, "policy": policy, "profile": daemon.vcpu(domain)["profile"],
            "set": [(p["uuid"], p["profile"]) for p in daemon.ctl_json("policy", "list")["policies"]]}


def _wait_probes(daemon, count):
    """So many of its threads probe."""
    def look():
        names = [proc.read(path) for path in glob.glob(f"/proc/{daemon.process.pid}/task/*/comm")]
        return names.count("trial-probe\n") == count
    proc.wait_for(look, 10, f"{count} threads of the daemon to probe")


def _check_verdict(trial):
    assert trial["state"] in WHOLE, trial
    assert trial["advice"] in ("recommend", "not-worth-it", "price-too-high", "cannot-tell")
    assert trial["gain"] in ("better", "same", "worse", "cannot-tell") and trial["text"]
    assert ("command" in trial) == (trial["advice"] == "recommend")
    assert trial["off"]["waits"] > 0 and trial["on"]["waits"] > 0, trial
    for side in ("off", "on"):
        for key in ("p50_us", "p99_us", "p999_us"):
            interval = trial[side][key]
            assert 0 <= interval["low"] <= interval["high"]
    assert sum(row["off"] for row in trial["histogram"]) >= trial["off"]["waits"]
    assert trial["off"]["boosts"] == 0


def test_whole(scene, tool, tmp_path):
    """Boosts come and go, the verdict is whole, and the domain is as it was found."""
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    found = _found(daemon, domain)

    begun = tool(daemon, domain, *SHORT, "--json", "--plot", f"{tmp_path}/waits.svg")
    probes = _begun(daemon, domain)["probe_threads"]
    assert 0 < probes <= len(os.sched_getaffinity(0))
    _wait_probes(daemon, probes)
    _boosting(daemon, domain)
    assert "pvschedctl trial" in json.dumps(daemon.ctl_json("policy", "get", domain.name))
    daemon.wait_vcpu(domain, lambda v: v["profile"] == "observe", "a window that does not boost")
    refused = daemon.call("trial", domain.name)
    assert refused.returncode == 1 and "runs already" in refused.stderr
    status, out, error = begun.end()
    assert error == ""
    trial = json.loads(out)
    print(json.dumps({key: trial[key] for key in trial if key != "histogram"}))
    if trial["blocks"]:  # else a guardian that acted has spoilt each of them
        _check_verdict(trial)
        assert status == 0
    if trial["blocks"] >= 4:
        assert trial["price"]["cpu-time"]["low"] <= trial["price"]["cpu-time"]["high"]
        assert "threads" in trial["price"] and trial["price"]["worst"] in trial["price"]
    assert xml.etree.ElementTree.parse(f"{tmp_path}/waits.svg").getroot().tag.endswith("svg")

    assert _found(daemon, domain) == found
    _wait_probes(daemon, 0)
    shown = daemon.call("trial", domain.name, "--follow")
    print(shown.stdout)
    assert shown.stdout.startswith(f"{domain.name}: ") and " of two windows" in shown.stdout


def test_tool_is_killed(scene, tool):
    """The trial goes on to its end."""
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    found = _found(daemon, domain)
    begun = tool(daemon, domain, *SHORT)
    _boosting(daemon, domain)
    begun.kill()
    _wait_trial(daemon, domain, lambda trial: trial["state"] in WHOLE, "its end")
    assert _found(daemon, domain) == found


def test_daemon_is_killed(scene, tool):
    """The next daemon has the policy that was set before, and knows of no trial."""
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    daemon.ctl("policy", "set", domain.name, "interactive", "--persist")
    found = _found(daemon, domain)
    begun = tool(daemon, domain, *LONG, "--profile", "latency")
    proc.wait_for(lambda: daemon.vcpu(domain)["profile"] == "latency", 20, "a window that boosts")
    daemon.kill()
    daemon.reap()
    status, _, error = begun.end()
    assert status == 3, error
    daemon.start()
    daemon.wait_known(domain)
    assert _found(daemon, domain) == found and found["profile"] == "interactive"
    assert _trial(daemon, domain) is None
    assert daemon.call("trial", domain.name, "--follow").returncode == 1


def test_domain_is_destroyed(scene, tool):
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    begun = tool(daemon, domain, *LONG)
    uuid = _begun(daemon, domain)["uuid"]
    _boosting(daemon, domain)
    scene.forget_domain(domain)
    status, out, _ = begun.end()
    assert status == 1 and "the domain is gone" in out
    assert _trial(daemon, uuid)["state"] == "gone"
    _wait_probes(daemon, 0)


@pytest.mark.parametrize("words, state", [(("policy", "set", None, "interactive"), "policy"), (("release", None), "policy"),
                                          (("disable",), "held"), (("trial", None, "--stop"), "stopped")])
def test_a_command_ends_it(scene, tool, words, state):
    """What a person says meanwhile holds."""
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    begun = tool(daemon, domain, *LONG)
    _begun(daemon, domain)
    done = daemon.call(*(domain.name if word is None else word for word in words))
    assert done.returncode == 0, done.stderr
    trial = _trial(daemon, domain)
    assert trial["state"] == state
    assert trial.get("reason") == ("disabled" if state == "held" else None)
    assert daemon.vcpu(domain)["profile"] == ("interactive" if words[0] == "policy" else "observe")
    assert begun.end()[0] == 1


def test_under_a_quota(scene, tool):
    """It may not be boosted: said, with the reason, after two windows that should have boosted."""
    domain = scene.domain(hz=HZ)
    virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=50000")
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    status, out, _ = tool(daemon, domain, *LONG, "--json").end()
    trial = json.loads(out)
    assert status == 1 and (trial["state"], trial["reason"]) == ("held", "quota"), trial
    assert trial["on"]["boosts"] == 0


def test_refused(scene):
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    for words, why in (((domain.name, "--profile", "observe"), "does not boost"),
                       ((domain.name, "--profile", "none"), "there is no profile"),
                       ((domain.name, "--for", "10s"), "too few windows"),
                       ((domain.name, "--for", "20h"), "windows; give it"),
                       ((domain.name, "--stop"), "no trial of it runs"),
                       ((domain.name, "--follow"), "no trial of")):
        done = daemon.call("trial", *words)
        assert done.returncode == 1 and why in done.stderr, done.stderr
    assert daemon.call("trial", "nobody").returncode == 5
    assert _trial(daemon, domain) is None


def test_all(scene, tool):
    """One after the other, and ranked."""
    domains = [scene.domain(hz=HZ), scene.domain("pvsched-it2", hz=HZ)]
    daemon = scene.daemon(profile="observe")
    for domain in domains:
        daemon.wait_known(domain)
    done = subprocess.run([program(daemon.build_dir, "pvschedctl"), *daemon.options(), "trial", "--all", "--for", "14s",
                           "--window", "500ms..1s", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    tried = json.loads(done.stdout)["domains"]
    assert {one["domain"] for one in tried} >= {domain.name for domain in domains}


@pytest.mark.often
def test_left_as_found(scene, tool, times, chance):
    """At random moments the trial is stopped, or the tool or the daemon is killed."""
    domain = scene.domain(hz=HZ)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    daemon.ctl("policy", "set", domain.name, "interactive", "--persist")
    found = _found(daemon, domain)
    outcomes = []
    for _ in range(times):
        begun = tool(daemon, domain, *LONG, "--profile", "latency")
        _begun(daemon, domain)
        time.sleep(chance.uniform(0, 2))
        outcomes.append(chance.choice(("stop", "tool", "daemon")))
        if outcomes[-1] != "stop":
            (begun if outcomes[-1] == "tool" else daemon).kill()
        if outcomes[-1] == "daemon":
            daemon.reap()
            daemon.start()
            daemon.ctl("enable")  # else the circuit breaker opens at the third
            daemon.wait_known(domain)
        else:
            daemon.ctl("trial", domain.name, "--stop")
        begun.end()
        assert _found(daemon, domain) == found, outcomes
    print(f"left as found {times} of {times}: {', '.join(f'{outcomes.count(one)} x {one}' for one in sorted(set(outcomes)))}")
