# SPDX-License-Identifier: GPL-2.0-or-later
"""What status tells a person: one look at a terminal of 80 columns, and the same for scripts."""

import re

from rig import proc
from terminal import COLUMNS, Terminal

GREEN = "\033[32m"


def plain(text):
    return re.sub(r"\033\[\d*m", "", text)


def on_a_terminal(daemon, *words, env=None):
    terminal = Terminal(daemon, *words, env=env)
    try:
        assert terminal.end() == 0
        return terminal.text
    finally:
        terminal.close()


def fields(daemon, domain, columns):
    """Those of one domain, as a script has them."""
    lines = daemon.ctl("status", "--no-header", "-o", f"domain,{columns}").splitlines()
    return next(line.split()[1:] for line in lines if line.split()[0] == domain.name)


def now_seconds(daemon, domain):
    return daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["windows"].get("now", {}).get("seconds", 0)


def test_what_a_person_sees(scene):
    domain, other = scene.domain("pvsched-it-a", hz=200), scene.domain("pvsched-it-b" + "0123456789" * 3)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(other)
    daemon.wait_known(domain)
    proc.wait_for(lambda: fields(daemon, domain, "p99")[0] != "-", 20, "waits to be measured")
    assert fields(daemon, domain, "before,was,why") == ["-", "-", "profile"]
    # a policy that held for less than a second is none to compare with
    proc.wait_for(lambda: now_seconds(daemon, domain) >= 1, 20, "a second of observing")
    daemon.ctl("policy", "set", domain.name, "latency")
    daemon.wait_boosted(domain)
    proc.wait_for(lambda: float(fields(daemon, domain, "boost")[0]) > 0, 30, "boosts to be seen")
    before, was, profile, vcpus = fields(daemon, domain, "before,was,profile,vcpus")
    assert int(before) > 0 and was == "observe" and profile == "latency" and vcpus == "1"

    text = on_a_terminal(daemon, "status")
    assert text.startswith(f"{GREEN}On\033[0m: 1 of 2 domains boosted; boosts take ")
    lines = plain(text).splitlines()
    assert not [line for line in lines if len(line) > COLUMNS]
    assert re.match(r"On: 1 of 2 domains boosted; boosts take \d+\.\d % of \d+ CPUs \(cap 30\.0 %\)$", lines[0])
    assert lines[2].split()[:3] == ["DOMAIN", "VCPUS", "PROFILE"] and lines[2].endswith("WHY NOT MORE")
    assert re.search(r"^pvsched-it-a +1 +latency ", plain(text), re.M)
    # a name that is cut there is whole for a script
    cut = re.search(r"^(pvsched-it-b0123\d*) +1 +observe ", plain(text), re.M)
    assert cut and cut[1] != other.name and other.name.startswith(cut[1])
    assert other.name in daemon.ctl("status", "-o", "domain")
    assert "\033" not in on_a_terminal(daemon, "status", env={"NO_COLOR": "1"})
    assert "\033" not in daemon.ctl("status") and "Levers:" not in daemon.ctl("status")


def test_what_is_wrong_and_what_mends_it(scene):
    domain, daemon = scene.boosted()
    daemon.ctl("disable")
    text = daemon.ctl("status")
    assert text.startswith("Off: nothing is boosted; 1 domains run\n")
    assert re.search(r"^warn  enabled: boosting is switched off by command\n      fix: pvschedctl enable$", text, re.M)
    status = daemon.status()
    assert status["wrong"] >= 1 and len(status["checks"]) == min(status["wrong"], 16)
    # budgets that were granted are withdrawn, which is as it should be
    assert not [check for check in status["checks"] if "RT budget" in check["detail"]], status["checks"]
    assert fields(daemon, domain, "why,boosted") == ["disabled", "0"]
    daemon.ctl("enable")
    daemon.wait_boosted(domain)
    assert "switched off" not in daemon.ctl("status")


def test_long(scene):
    domain, daemon = scene.boosted()
    text = daemon.ctl("status", "-l")
    for word in ("On: ", "WHY NOT MORE", "pvschedd ", "Levers: rt", "Caps: ", "SOURCE", "BURST USED", "WAIT p50"):
        assert word in text, word
    assert text.count(domain.name) >= 2
