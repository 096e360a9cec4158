# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies by command: listed, tried, taken back, also of domains that are shut off or gone; and where values come from."""

import contextlib
import json
import os
import stat
import time
import uuid as uuids

import pytest

from rig import proc
from rig.libvirtd import URI, virsh

REFUSED, NO_DOMAIN = 1, 5


def policies(daemon, uuid):
    """What `policy list` says of a domain, by whether it persists."""
    return {policy["persist"]: policy for policy in daemon.ctl_json("policy", "list")["policies"] if policy["uuid"] == uuid}


@contextlib.contextmanager
def defined(scene, domain):
    """A firmware domain that runs stays defined when it is shut off."""
    path = f"{domain.directory}/definition.xml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(domain.xml)
    key = scene.deadman.add(argv=["virsh", "--connect", URI, "undefine", domain.uuid])
    virsh("define", path)
    try:
        yield
    finally:
        virsh("undefine", domain.uuid)
        scene.deadman.remove(key)


def shut_off(daemon, domain):
    virsh("destroy", domain.uuid)
    proc.wait_for(lambda: not domain.alive(), 15, "its QEMU to end")
    proc.wait_for(lambda: domain.name not in daemon.names(), 10, "the domain to be gone")


def start(domain):
    virsh("start", domain.uuid)
    domain.find_process()


def test_list_and_unset(scene):
    """Both kinds are listed with their ages, and one command takes both back."""
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    assert daemon.ctl_json("policy", "list") == {"policies": [], "released": []}
    assert "No policy is set" in daemon.ctl("policy", "list")
    assert daemon.call("policy", "unset", domain.name).returncode == REFUSED
    daemon.ctl("policy", "set", domain.name, "interactive", "--persist")
    assert "--persist" in daemon.ctl_json("policy", "get", domain.name)["source"]
    daemon.ctl("policy", "set", domain.name, "latency", "--for", "10m")
    daemon.wait_boosted(domain)
    listed = policies(daemon, domain.uuid)
    assert listed[False]["profile"] == "latency" and listed[False]["in_force"] and listed[False]["runs"]
    assert 0 < listed[False]["expires_s"] <= 600 and listed[False]["age_s"] < 60
    assert listed[True]["profile"] == "interactive" and not listed[True]["in_force"]
    assert "overrules" in listed[True]["why_not"] and "expires_s" not in listed[True]
    text = daemon.ctl("policy", "list")
    assert domain.name in text and "with pvschedd" not in text and "another command overrules it" in text
    assert "observe again" in daemon.ctl("policy", "unset", domain.name)
    assert policies(daemon, domain.uuid) == {}
    assert daemon.vcpu(domain)["profile"] == "observe"
    scene.assert_given_back()
    assert domain.uuid not in proc.read(f"{daemon.state_dir}/policies.json")
    daemon.stop()
    daemon.start()
    assert daemon.wait_known(domain)["profile"] == "observe"


def test_released_is_listed(scene):
    domain, daemon = scene.boosted()
    daemon.ctl("release", domain.name)
    assert daemon.ctl_json("policy", "list")["released"] == [{"domain": domain.name, "uuid": domain.uuid}]
    assert domain.name in daemon.ctl("policy", "list")


def test_domain_that_is_shut_off(scene):
    """By its name, which libvirt knows: set while it is off, in force from its start, kept while it is off again."""
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    with defined(scene, domain):
        shut_off(daemon, domain)
        assert daemon.call("policy", "set", "pvsched-nobody", "latency").returncode == NO_DOMAIN
        assert "does not run" in daemon.ctl("policy", "set", domain.name, "latency")
        assert policies(daemon, domain.uuid)[False]["domain"] == domain.name
        assert not policies(daemon, domain.uuid)[False]["in_force"]
        done = daemon.call("policy", "set", domain.name, "latency", "--dry-run")
        assert done.returncode == REFUSED and "does not run" in done.stderr
        start(domain)
        daemon.wait_boosted(domain)
        assert policies(daemon, domain.uuid)[False]["in_force"]
        shut_off(daemon, domain)
        assert policies(daemon, domain.uuid)[False]["runs"] is False
        daemon.ctl("policy", "unset", domain.name)
        start(domain)
        assert daemon.wait_known(domain)["profile"] == "observe"
        shut_off(daemon, domain)


def test_libvirt_that_hangs(scene):
    """The daemon knows the domains that run; of one that does not, pvschedctl waits for libvirt for a while only."""
    libvirtd = scene.own_libvirtd()
    daemon = scene.daemon(profile="observe")
    uuid = str(uuids.uuid4())
    libvirtd.freeze()
    try:
        since = time.monotonic()
        assert "is not known" in daemon.ctl("policy", "set", uuid, "latency")
        waited = time.monotonic() - since
        assert daemon.call("policy", "set", "pvsched-nobody", "latency").returncode == NO_DOMAIN
    finally:
        libvirtd.thaw()
    # it gives libvirt five seconds; the rest of the time is this machine's
    assert waited < 4 * 5, waited


def test_domain_that_is_gone(scene):
    """Its policy that persists is listed by the name that it had, over a restart, and goes by name or uuid."""
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    daemon.ctl("policy", "set", domain.name, "latency", "--persist")
    daemon.wait_boosted(domain)
    shut_off(daemon, domain)  # a transient one is gone then
    daemon.stop()
    daemon.start()
    listed = policies(daemon, domain.uuid)[True]
    assert listed["domain"] == domain.name and not listed["runs"] and not listed["in_force"]
    assert listed["ran_ago_s"] < 600 and listed["age_s"] < 600
    assert "no policy by command any more" in daemon.ctl("policy", "unset", domain.name)
    assert policies(daemon, domain.uuid) == {}
    daemon.stop()
    daemon.start()
    assert daemon.ctl_json("policy", "list")["policies"] == []


def test_uuid_without_libvirt(scene):
    """Of a uuid that does not run nobody knows whether it exists: it is taken, and that is said."""
    daemon = scene.daemon(config={"host": {"discovery": ["procfs"]}})
    uuid = str(uuids.uuid4())
    told = daemon.ctl("policy", "set", uuid.upper(), "latency", "--persist")
    assert "is not known" in told, told
    assert policies(daemon, uuid)[True]["profile"] == "latency"
    assert daemon.call("policy", "set", "pvsched-nobody", "latency").returncode == NO_DOMAIN
    daemon.ctl("policy", "unset", uuid)
    assert policies(daemon, uuid) == {}
    assert daemon.call("policy", "unset", uuid).returncode == REFUSED


def test_dry_run(scene):
    """What two domains on one CPU would have of it, which is what they then have."""
    cputune = "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"
    web = scene.domain("pvsched-it", tuning=cputune)
    other = scene.domain("pvsched-it-2", tuning=cputune)
    daemon = scene.daemon(profile="observe", config={"profiles": {"latency": {"share_permille": 200}}})
    for domain in (web, other):
        daemon.wait_known(domain)
    daemon.ctl("policy", "set", other.name, "latency")
    daemon.wait_boosted(other)
    tried = daemon.ctl_json("policy", "set", web.name, "latency", "--dry-run")
    assert tried["share_permille"] == 200 and "host_reason" not in tried
    rows = {row["domain"]: row for row in tried["domains"]}
    assert list(rows) == [web.name, other.name]
    assert rows[web.name]["share_now_permille"] == 0 and rows[other.name]["share_now_permille"] == 200
    then = {name: row["share_then_permille"] for name, row in rows.items()}
    assert then == {web.name: 150, other.name: 150}  # the CPU gives 300
    text = daemon.ctl("policy", "set", web.name, "latency", "--dry-run")
    assert "Nothing was changed" in text and "15.0 %" in text
    assert daemon.vcpu(web)["profile"] == "observe"
    assert policies(daemon, web.uuid) == {}
    daemon.ctl("policy", "set", web.name, "latency")
    shown = {name: daemon.ctl_json("show", name)["domain"]["vcpus"][0]["share_permille"] for name in then}
    assert shown == then
    # nobody else loses by less
    assert [row["domain"] for row in daemon.ctl_json("policy", "set", web.name, "latency", "--dry-run")["domains"]] == [web.name]


def test_boost_that_boosts_nothing(scene):
    """Its exit status says so, and why."""
    domain, daemon = scene.boosted()
    proc.wait_for(lambda: daemon.call("boost", domain.name, "--for", "5ms").returncode == 0, 10, "a boost")
    virsh("suspend", domain.uuid)
    daemon.wait_reason(domain, "paused")
    done = daemon.call("boost", domain.name, "--for", "5ms", "--json")
    assert done.returncode == REFUSED and "no vCPU was boosted: The domain is paused" in done.stderr
    assert json.loads(done.stdout)["vcpus"][0]["reason"] == "paused"
    virsh("resume", domain.uuid)
    daemon.ctl("policy", "set", domain.name, "observe")
    done = daemon.call("boost", domain.name, "--for", "5ms")
    command = f"pvschedctl policy set {domain.name} latency"
    assert done.returncode == REFUSED and command in done.stderr
    assert command in daemon.ctl("explain", domain.name)


def test_config(scene):
    """Every value with its file and line, of the file and its drop-ins merged, as of the last reload."""
    daemon = scene.daemon(profile="observe", config={"domains": {"name": {"pvsched-it": {"profile": "latency"}}}})
    settings = {setting["key"]: setting for setting in daemon.ctl_json("config")["settings"]}
    assert settings[".default_profile"]["value"] == "observe"
    assert settings[".default_profile"]["source"].startswith(f"{daemon.config_path}:")
    assert settings[".host.rt_priority"] == {"key": ".host.rt_priority", "value": 1, "text": "1", "source": "built in",
                                             "built_in": True}
    assert settings[".domains.name.pvsched-it.profile"]["value"] == "latency"
    assert settings[".domains.name.pvsched-it.burst_us"]["source"] == "built in: profile latency"
    directory = f"{os.path.dirname(daemon.config_path)}/pvschedd.d"
    os.mkdir(directory)
    with open(f"{directory}/50-more.json", "w", encoding="ascii") as file:
        file.write('{"version": 1,\n"host": {\n"domain_share_permille": 400}}\n')
    daemon.ctl("reload")
    told = daemon.ctl_json("config")
    assert told["files"] == [daemon.config_path, f"{directory}/50-more.json"] and told["left_out"] == 0
    settings = {setting["key"]: setting for setting in told["settings"]}
    assert settings[".host.domain_share_permille"]["value"] == 400
    assert settings[".host.domain_share_permille"]["source"] == f"{directory}/50-more.json:3"
    assert f"{directory}/50-more.json:3" in daemon.ctl("config")


def test_report_has_no_names(scene, tmp_path):
    """One file with all that is known, and with no name or uuid of a guest."""
    names = ["pvsched-it", "pvsched-it secret:1"]
    domains = [scene.domain(name) for name in names]
    daemon = scene.daemon(profile="observe", config={"domains": {"name": {names[1]: {"profile": "latency"}}}})
    for domain in domains:
        daemon.wait_known(domain)
    daemon.ctl("policy", "set", names[0], "observe", "--persist")
    path = str(tmp_path / "report")
    daemon.call("doctor", "--report", path)  # its exit status is doctor's
    text = proc.read(path)
    for section in ("doctor", "list", "policy list", "config", "status", "show"):
        assert f"\n== {section}\n" in text, section
    assert text.count("\n== show\n") >= 2
    for word in ("secret", names[0], *(domain.uuid for domain in domains)):
        assert word not in text, text[text.index(word) - 200:][:400]
    listed = json.loads(text.split("\n== list\n")[1].split("\n")[0])["domains"]
    assert {"guest-1", "guest-2"} <= {domain["name"] for domain in listed}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    done = daemon.call("doctor", "--report", path)
    assert done.returncode == REFUSED and "File exists" in done.stderr and proc.read(path) == text


@pytest.mark.sanitized
def test_doctor_where_libvirt_is_not_asked(scene):
    """A host without libvirt is no fault, and each check of the host has a status."""
    daemon = scene.daemon(config={"host": {"discovery": ["procfs"]}})
    done = daemon.call("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    failed = {name for name, check in checks.items() if check["status"] == "fail"}
    assert not failed and done.returncode == 0, failed
    assert checks["libvirt"]["status"] == "ok" and "not asked" in checks["libvirt"]["detail"]
    for name in ("kernel_threads", "io_uring", "hidepid", "core_scheduling", "rt_group_sched", "vhost_vsock"):
        assert checks[name]["status"] in ("ok", "warn", "fail") and checks[name]["detail"], name
    assert checks["kernel_threads"]["status"] == "ok", checks["kernel_threads"]  # on this host
    assert "of 1 or above" in checks["kernel_threads"]["detail"]
