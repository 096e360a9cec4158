# SPDX-License-Identifier: GPL-2.0-or-later
"""The policy in a domain's <metadata>, and drop-ins of the configuration."""

import os
import subprocess
import time

import pytest

from rig import proc
from rig.libvirtd import URI as LIBVIRT_URI, virsh

pytestmark = pytest.mark.sanitized

URI = "https://pvsched.org/domain/1"


def ask(domain, element):
    virsh("metadata", domain.uuid, URI, "--key", "pvsched", "--set", element, "--live")


def withdraw(domain):
    virsh("metadata", domain.uuid, URI, "--remove", "--live")


def shown(daemon, domain):
    return daemon.ctl_json("show", domain.name)["domain"]


def wait_shown(daemon, domain, accept, what):
    last = {}

    def look():
        last["seen"] = shown(daemon, domain)
        return last["seen"] if accept(last["seen"]) else None

    try:
        return proc.wait_for(look, 10, what)
    except proc.RigError as error:
        seen = {key: value for key, value in last.get("seen", {}).items() if key not in ("vcpus", "helpers")}
        raise proc.RigError(f"{error}; last seen {seen}; log: {daemon.log()[-3000:]}") from None


def wait_metadata(daemon, domain, state):
    return wait_shown(daemon, domain, lambda s: s["metadata"]["state"] == state, f"its metadata to be {state}")


@pytest.fixture
def pair(scene):
    """An observed domain with a name of its own, and the daemon."""
    domain = scene.domain("pvsched-it-metadata")
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    return domain, daemon


def test_profile_by_metadata_and_back(scene, pair):
    domain, daemon = pair
    assert shown(daemon, domain)["metadata"] == {"state": "none"}
    ask(domain, '<policy profile="latency" share_permille="100" burst_us="300"/>')
    now = wait_metadata(daemon, domain, "honoured")
    assert (now["profile"], now["share_permille"], now["burst_us"]) == ("latency", 100, 300)
    assert now["sources"].pop("policy") == "built in: profile latency"
    assert set(now["sources"].values()) == {"metadata of the domain"}
    daemon.wait_boosted(domain)
    assert "Wants:   profile latency, share_permille 100, burst_us 300, by its metadata: honoured" in \
        daemon.ctl("show", domain.name)
    withdraw(domain)
    now = wait_metadata(daemon, domain, "none")
    assert now["profile"] == "observe"
    scene.assert_given_back()


def test_known_when_the_daemon_starts(scene):
    domain = scene.domain("pvsched-it-metadata")
    ask(domain, '<policy profile="interactive"/>')
    daemon = scene.daemon(profile="observe")
    assert daemon.wait_known(domain)["profile"] == "interactive"
    daemon.wait_boosted(domain)


def test_never_more_than_the_profile(pair):
    domain, daemon = pair
    ask(domain, '<policy profile="interactive" share_permille="1000" burst_us="10000"/>')
    now = wait_metadata(daemon, domain, "honoured")
    assert (now["profile"], now["share_permille"], now["burst_us"]) == ("interactive", 100, 200)
    assert now["sources"]["share_permille"] == "built in: profile interactive"
    assert now["metadata"]["share_permille"] == 1000
    ask(domain, '<policy burst_us="60"/>')
    now = wait_shown(daemon, domain, lambda s: s["burst_us"] == 60, "the new burst to hold")
    assert now["profile"] == "observe" and now["share_permille"] == 200


BAD = {
    "range": ('<policy profile="latency" burst_us="1"/>', 'burst_us="1" must be from 50 to 10000'),
    "no-such-profile": ('<policy profile="fastest"/>', 'there is no profile "fastest" in the configuration'),
    "attribute": ('<policy profile="latency" priority="99"/>', "unknown attribute priority"),
    "child": ('<policy profile="latency"><more/></policy>', "must be empty"),
    "element": ('<boost profile="latency"/>', "not <policy>"),
    "large": ('<policy profile="latency">' + "<!--" + "x" * 70000 + "--></policy>", "is larger than 65536 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_is_ignored_whole(scene, pair, name):
    domain, daemon = pair
    element, why = BAD[name]
    ask(domain, element)
    now = wait_metadata(daemon, domain, "invalid")
    assert why in now["metadata"]["error"], now["metadata"]
    assert (now["profile"], now["share_permille"], now["burst_us"]) == ("observe", 200, 500)
    daemon.wait_log(f'"{domain.name}": the policy in its metadata is ignored: ')
    scene.assert_given_back()


def test_commands_and_entries_go_before(pair):
    domain, daemon = pair
    ask(domain, '<policy profile="latency"/>')
    wait_metadata(daemon, domain, "honoured")
    daemon.ctl("policy", "set", domain.name, "interactive")
    now = wait_metadata(daemon, domain, "overruled")
    assert now["profile"] == "interactive" and now["sources"]["profile"] == "pvschedctl policy set"
    daemon.ctl("policy", "set", domain.name, "interactive", "--for", "1s")
    wait_metadata(daemon, domain, "honoured")
    daemon.rewrite({"default_profile": "observe", "domains": {"name": {domain.name: {"profile": "off"}}}})
    daemon.ctl("reload")
    assert shown(daemon, domain)["metadata"]["state"] == "overruled"
    assert shown(daemon, domain)["profile"] == "off"


def test_observe_and_ignore(pair):
    domain, daemon = pair
    ask(domain, '<policy profile="latency"/>')
    wait_metadata(daemon, domain, "honoured")
    for word, state in (("observe", "observed"), ("ignore", "ignored"), ("honour", "honoured")):
        daemon.rewrite({"default_profile": "observe", "host": {"metadata": word}})
        daemon.ctl("reload")
        now = shown(daemon, domain)
        assert now["metadata"]["state"] == state
        assert now["profile"] == ("latency" if word == "honour" else "observe")


def cpu_ticks(daemon):
    """User and system time of all its threads."""
    fields = proc.read(f"/proc/{daemon.process.pid}/stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_storm_of_changes(scene, pair):
    """A thousand changes in one or two seconds: few looks, a daemon that answers, and the last one counts."""
    domain, daemon = pair
    shares = [i % 100 + 1 for i in range(1000)] + [77]
    text = "".join(f"metadata {domain.uuid} {URI} --key pvsched --live --set "
                   f"'<policy profile=\"latency\" share_permille=\"{share}\"/>'\n" for share in shares)
    before = cpu_ticks(daemon)
    begin = time.monotonic()
    done = subprocess.run(["virsh", "--quiet", "--connect", LIBVIRT_URI], input=text, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0 and "error" not in done.stderr, done.stderr[-500:]
    seconds = time.monotonic() - begin
    wait_shown(daemon, domain, lambda s: s["share_permille"] == 77, "the last change to hold")
    spent = (cpu_ticks(daemon) - before) / os.sysconf("SC_CLK_TCK")
    scene.figures.setdefault("changes of metadata in a second", []).append(len(shares) / seconds)
    scene.figures.setdefault("CPU time of pvschedd for each, us", []).append(spent * 1e6 / len(shares))


# ---- drop-ins ----

def drop_in(daemon, name, text, mode=0o644):
    directory = f"{daemon.directory}/pvschedd.d"
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = f"{directory}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def test_drop_ins_name_file_and_line(pair):
    domain, daemon = pair
    one = drop_in(daemon, "10-one.json",
                  '{"version": 1,\n"domains": {"name": {"%s": {"profile": "latency",\n"share_permille": 90}}}}' % domain.name)
    two = drop_in(daemon, "20-two.json",
                  '{"version": 1, "profiles": {"latency": {\n"burst_us": 250}},\n'
                  '"domains": {"name": {"%s":\n{"share_permille": 80}}}}' % domain.name)
    daemon.ctl("reload")
    now = shown(daemon, domain)
    assert (now["profile"], now["share_permille"], now["burst_us"]) == ("latency", 80, 250)
    assert now["sources"] == {
        "profile": f"{one}:2: .domains.name.{domain.name}.profile",
        "share_permille": f"{two}:4: .domains.name.{domain.name}.share_permille",
        "burst_us": f"{two}:2: .profiles.latency.burst_us",
        "policy": "built in: profile latency"}
    assert f"burst_us        {two}:2: .profiles.latency.burst_us" in daemon.ctl("show", domain.name)
    daemon.wait_boosted(domain)
    os.unlink(daemon.config_path)  # the drop-ins alone will do
    daemon.ctl("reload")
    assert shown(daemon, domain)["share_permille"] == 80


def test_bad_drop_in_keeps_the_old(pair):
    domain, daemon = pair
    good = drop_in(daemon, "10.json", '{"version": 1, "default_profile": "latency"}')
    daemon.ctl("reload")
    daemon.wait_boosted(domain)
    for text, mode, why in (('{"version": 1,\n"default_profil": "off"}', 0o644, ":2: .default_profil: unknown key"),
                            ('{"version": 1}', 0o666, "every user may write"), ("{", 0o644, ":1: ")):
        bad = drop_in(daemon, "20.json", text, mode)
        done = daemon.call("reload")
        assert done.returncode == 1 and f"{bad}:" in done.stderr and why in done.stderr, done.stderr
        assert daemon.vcpu(domain)["profile"] == "latency"
        assert daemon.check_config().returncode == 1
    os.unlink(bad)
    time.sleep(0.01)
    drop_in(daemon, ".20.json", "{")
    drop_in(daemon, "20.json.bak", "{")
    assert daemon.call("reload").returncode == 0
    assert good and "2 file(s)" in daemon.check_config().stdout
