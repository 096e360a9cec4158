# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: what is refused and how it is said; reload swaps or keeps."""

import os
import re
import signal
import subprocess

import pytest

from rig import proc
from rig.daemon import program

pytestmark = pytest.mark.sanitized

BAD = {
    "unknown-key": ('{\n"version": 1,\n"host": {"cpu_share": 1}\n}', r":3: \.host\.cpu_share: unknown key"),
    "duplicate-key": ('{\n"version": 1,\n"enabled": true,\n"enabled": false\n}', r":4: .*enabled"),
    "case": ('{\n"version": 1,\n"Enabled": true\n}', r":3: \.Enabled: unknown key"),
    "syntax": ('{\n"version": 1,\n"host": {\n}', r":\d+: "),
    "trailing": ('{"version": 1}\nx', r":2: "),
    "no-version": ("{}", "version"),
    "version-2": ('{"version": 2}', r":1: \.version"),
    "range": ('{"version": 1,\n"host": {"cpu_share_permille": 951}}', r":2: \.host\.cpu_share_permille"),
    "negative": ('{"version": 1,\n"host": {"cpu_share_permille": -1}}', r":2: \.host\.cpu_share_permille"),
    "huge-number": ('{"version": 1,\n"host": {"cpu_share_permille": 1e400}}', r":2: "),
    "fraction": ('{"version": 1,\n"summary_interval_s": 1.5}', r":2: \.summary_interval_s"),
    "string-for-number": ('{"version": 1,\n"summary_interval_s": "1"}', r":2: \.summary_interval_s"),
    "no-such-profile": ('{"version": 1,\n"default_profile": "fast"}', r":2: .*default_profile"),
    "deep": ('{"version": 1, "//": ' + "[" * 40 + "]" * 40 + "}", r":1: "),
    "nul": ('{"version": 1, "//": "a\\u0000b"}', r":1: "),
    "not-utf8": (b'{"version": 1, "//": "\xff"}', r":1: "),
    "bom": (b'\xef\xbb\xbf{"version": 1}', r":1: "),
    "empty": ("", r""),
    "huge": ('{"version": 1, "//": "' + "x" * (2 << 20) + '"}', r"(1 MiB|large|big|long)"),
}


@pytest.fixture
def check(build_dir, tmp_path):
    def run(text, mode=0o644):
        path = tmp_path / "pvschedd.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return subprocess.run([program(build_dir, "pvschedd"), "--check-config", "--config", str(path)],
                              capture_output=True, text=True, timeout=30, check=False), str(path)
    return run


@pytest.mark.parametrize("name", BAD)
def test_bad(check, name):
    text, pattern = BAD[name]
    done, path = check(text)
    assert done.returncode == 1, done
    assert path in done.stderr, done.stderr
    assert re.search(pattern, done.stderr), done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr) < 1500


def test_world_writable(check):
    done, path = check('{"version": 1}', 0o666)
    assert done.returncode == 1
    assert path in done.stderr and "writ" in done.stderr


def test_not_a_file(build_dir, tmp_path, check):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "absent"):
        done = subprocess.run([program(build_dir, "pvschedd"), "--check-config", "--config", str(path)],
                              capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == 1 and str(path) in done.stderr, done


def test_good(check):
    conf = os.path.join(os.path.dirname(__file__), "..", "..", "conf", "pvschedd.json")
    done, _ = check(proc.read(conf))
    assert done.returncode == 0, done.stderr


def reload_by(daemon, way):
    """Returns pvschedctl's exit status; of SIGHUP none."""
    if way == "command":
        return daemon.call("reload").returncode
    daemon.kill(signal.SIGHUP)
    return None


@pytest.mark.parametrize("way", ["command", "SIGHUP"])
def test_reload_of_a_broken_file_keeps_the_old(scene, way):
    domain, daemon = scene.boosted()
    with open(daemon.config_path, "w", encoding="ascii") as file:
        file.write('{\n"version": 1,\n"default_profil": "off"\n}')
    if way == "command":
        done = daemon.call("reload")
        assert done.returncode == 1
        assert f"{daemon.config_path}:3: .default_profil: unknown key" in done.stderr
    else:
        daemon.kill(signal.SIGHUP)
        daemon.wait_log(":3: .default_profil: unknown key.*the configuration stays as it was")
    daemon.wait_boosted(domain)
    assert daemon.vcpu(domain)["profile"] == "latency"


@pytest.mark.parametrize("way", ["command", "SIGHUP"])
def test_reload_swaps(scene, way):
    domain, daemon = scene.boosted()
    daemon.rewrite({"default_profile": "observe"})
    assert reload_by(daemon, way) in (0, None)
    daemon.wait_vcpu(domain, lambda v: v["profile"] == "observe", "the new profile to hold")
    scene.assert_given_back()
    daemon.rewrite({"default_profile": "observe", "domains": {"glob": {"pvsched-i*": {"profile": "interactive"}}}})
    assert reload_by(daemon, way) in (0, None)
    daemon.wait_vcpu(domain, lambda v: v["profile"] == "interactive", "the glob's profile to hold")
    daemon.wait_boosted(domain)
    daemon.rewrite({"default_profile": "latency", "enabled": False})
    assert reload_by(daemon, way) in (0, None)
    daemon.wait_reason(domain, "disabled")
    scene.assert_given_back()


def test_reload_to_off_and_back(scene):
    domain, daemon = scene.boosted()
    daemon.rewrite({"default_profile": "off"})
    assert daemon.call("reload").returncode == 0
    daemon.wait_vcpu(domain, lambda v: v["state"] == "off", "the domain to be off")
    scene.assert_given_back()
    daemon.rewrite({"default_profile": "latency"})
    assert daemon.call("reload").returncode == 0
    daemon.wait_boosted(domain)


def test_storm_of_sighup(scene):
    domain, daemon = scene.boosted()
    for _ in range(1000):
        daemon.kill(signal.SIGHUP)
    daemon.wait_boosted(domain)
    assert daemon.call("release").returncode == 0
    scene.assert_given_back()


def test_precedence_of_uuid_name_and_glob(scene):
    domain = scene.domain()
    daemon = scene.daemon(profile="observe", config={
        "domains": {"glob": {"pvsched-*": {"profile": "off"}, "pvsched-it": {"profile": "interactive"}},
                    "name": {domain.name: {"profile": "latency", "share_permille": 77}}}})
    vcpu = daemon.wait_known(domain)
    assert vcpu["profile"] == "latency"
    shown = daemon.ctl_json("show", domain.name)["domain"]
    assert shown["share_permille"] == 77
    daemon.rewrite({"domains": {"uuid": {domain.uuid.upper(): {"profile": "observe"}},
                                "name": {domain.name: {"profile": "latency"}}}})
    assert daemon.call("reload").returncode == 0
    assert daemon.vcpu(domain)["profile"] == "observe"


def test_daemon_refuses_to_start_with_a_bad_file(scene):
    daemon = scene.daemon(start=False)
    with open(daemon.config_path, "w", encoding="ascii") as file:
        file.write("{")
    with pytest.raises(proc.RigError, match="ended with 1"):
        daemon.start()
