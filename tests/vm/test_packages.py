# SPDX-License-Identifier: GPL-2.0-or-later
"""Installed, upgraded, restarted by needrestart, removed, purged: with apt, as users do it."""

import contextlib
import shlex

import pytest

from host import GUEST, PACKAGES

CONFIG = "/etc/pvschedd/pvschedd.json"
DROP_IN = "/etc/pvschedd/pvschedd.d/50-test.json"

# A package like the installed one, with a higher version and nothing else changed.
_REPACK = f"""set -e
rm -rf /tmp/repack && mkdir /tmp/repack
dpkg-deb -R {PACKAGES}/pvschedd_*.deb /tmp/repack
sed -i 's/^Version: .*/&+next/' /tmp/repack/DEBIAN/control
dpkg-deb --root-owner-group -Znone -b /tmp/repack /tmp/pvschedd_next.deb
rm -r /tmp/repack
"""

# In the shell of an admin, with Debian's bash-completion.
_COMPLETE = """
. /usr/share/bash-completion/bash_completion
. /usr/share/bash-completion/completions/pvschedctl
COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $1 != *' ' ]] || { COMP_WORDS+=(''); ((++COMP_CWORD)); }
_pvschedctl; printf '%s\\n' "${COMPREPLY[@]}"
"""


def apt(host, arguments):
    return host.run(f"DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -y -q {arguments}", timeout=180)


@pytest.fixture
def installed(host):
    """Whatever the test does: the next one finds the package, with the configuration as it was shipped."""
    yield host
    host.run(f"rm -f /etc/pvschedd/pvschedd.d/*; dpkg --verify pvschedd | grep -q . && dpkg --purge pvschedd; "
             f"dpkg -s pvschedd >/dev/null 2>&1 || dpkg -i {PACKAGES}/pvschedd_*.deb", timeout=180)
    host.wait_active()


def gap(host, mark):
    """How long nothing was boosted between two daemons, by the journal, and whose time it was."""
    ready = host.wait_journal("ready", mark)
    entries = host.entries(mark)

    def at(message, last=False, **fields):
        found = [entry for entry in entries if message in (entry.get("MESSAGE") or "")
                 and all(entry.get(key) == value for key, value in fields.items())]
        assert found, (message, [entry.get("MESSAGE") for entry in entries])
        return int(found[-1 if last else 0]["__MONOTONIC_TIMESTAMP"]) / 1e6

    left = at("everything is given back", _SYSTEMD_UNIT="pvschedd.service")
    ended = at("Stopped", last=True, UNIT="pvschedd.service")
    begun = at("Starting", last=True, UNIT="pvschedd.service")
    up = int(ready["__MONOTONIC_TIMESTAMP"]) / 1e6
    return (f"{up - left:.2f} s from the release to the next daemon's readiness: {ended - left:.2f} s to its end with "
            f"ExecStopPost=, {begun - ended:.2f} s until the next one begins, {up - begun:.2f} s until it is ready")


@pytest.mark.any_kernel
def test_installed_means_enabled_started_and_observing(host):
    assert host.run("systemctl is-enabled pvschedd").strip() == "enabled"
    assert host.run("systemctl is-active pvschedd").strip() == "active"
    assert host.run(f"grep -m1 \"default_profile\" {CONFIG}").strip() == '"default_profile": "observe",'
    assert host.run("dpkg --verify pvschedd") == ""
    assert host.run(f"dpkg-query -W -f '${{Conffiles}}' pvschedd").split()[0] == CONFIG
    assert host.run("stat -c '%U:%G %a' /run/pvschedd/control.sock").strip() == "root:pvsched 660"
    for page in ("8/pvschedd.8", "8/pvschedctl.8", "5/pvschedd.json.5"):
        host.run(f"test -s /usr/share/man/man{page}.gz")


@pytest.mark.any_kernel
def test_completion_names_the_running_domains(guest, host):
    """A name with a blank and a colon."""
    host.write("/root/complete", _COMPLETE)
    assert host.run("bash /root/complete 'pvschedctl sh'").split() == ["show"]
    assert host.run("bash /root/complete 'pvschedctl show '").strip() == GUEST.replace(" ", "\\ ")
    host.run("systemctl stop pvschedd")
    assert host.run("bash /root/complete 'pvschedctl show vm'").strip() == GUEST.replace(" ", "\\ ")


@pytest.mark.any_kernel
@pytest.mark.parametrize("where", ("file", "drop-in"))
def test_newer_configuration_is_observed_with_an_error(host, guest, where):
    """Never a failing boot: the daemon observes, whatever profile the file names."""
    newer = json_of_tomorrow()
    mark = host.cursor()
    if where == "file":
        host.run(f"cp -p {CONFIG} /root/kept")
        host.write(CONFIG, newer)
    else:
        host.write(DROP_IN, newer)
    try:
        host.run("systemctl restart pvschedd")
        refused = host.wait_journal("config-refused", mark)
        assert refused["PRIORITY"] == "3" and "newer" in refused["MESSAGE"], refused
        assert (CONFIG if where == "file" else DROP_IN) in refused["MESSAGE"]
        assert host.run("systemctl is-active pvschedd").strip() == "active"
        host.wait_for(f"pvschedctl show {shlex.quote(GUEST)} >/dev/null 2>&1", "the guest to be discovered")
        assert host.ctl(f"show '{GUEST}'")["domain"]["profile"] == "observe"
    finally:
        host.run(f"rm -f {DROP_IN}; [ ! -e /root/kept ] || mv /root/kept {CONFIG}; systemctl restart pvschedd")


def json_of_tomorrow():
    return '{"version": 2, "of_tomorrow": true, "default_profile": "latency"}\n'


@pytest.mark.any_kernel
def test_needrestart_restarts_it_boosted(guest, host, figure):
    """A library was replaced: needrestart names the service, and restarts it without harm."""
    library = host.run("readlink -f /usr/lib/*/libcjson.so.1").strip()
    with host.unchanged():
        host.policy("latency --persist")
        host.boosted(guest)
        before = host.main_pid()
        host.run(f"cp -p {library} {library}.new && mv {library}.new {library}")
        assert "NEEDRESTART-SVC: pvschedd.service" in host.run("needrestart -b -r l -l")
        mark = host.cursor()
        host.run("DEBIAN_FRONTEND=noninteractive needrestart -r a -l", timeout=180)
        figure(f"needrestart: {gap(host, mark)}")
        assert host.main_pid() != before
        host.wait_boosted(guest[0])


@pytest.mark.any_kernel
def test_upgrade_releases_swaps_and_resumes(guest, installed, figure):
    host = installed
    host.run(f"sed -i 's/\"summary_interval_s\": 300/\"summary_interval_s\": 301/' {CONFIG}")
    host.run(_REPACK)
    with host.unchanged():
        host.policy("latency --persist")
        host.wait_boosted(guest[0])
        before = host.main_pid()
        mark = host.cursor()
        apt(host, "install /tmp/pvschedd_next.deb")
        host.wait_active()
        assert host.run("dpkg-query -W -f '${Version}' pvschedd").endswith("+next")
        assert host.main_pid() != before
        assert "301" in host.run(f"grep summary_interval_s {CONFIG}")
        figure(f"upgrade: {gap(host, mark)}")
        host.wait_boosted(guest[0])
    host.run(f"sed -i 's/\"summary_interval_s\": 301/\"summary_interval_s\": 300/' {CONFIG}")


@pytest.mark.any_kernel
def test_purge_leaves_nothing(guest, installed):
    host = installed
    host.calm()
    host.snapshot()
    host.policy("latency --persist")
    host.boosted(guest)
    host.write("/etc/pvschedd/pvschedd.d/10-admin.json", '{"version": 1}\n')
    apt(host, "purge pvschedd")
    assert host.differences() == []
    # what the package did not bring stays
    host.run("rm /etc/pvschedd/pvschedd.d/10-admin.json && rmdir -p --ignore-fail-on-non-empty /etc/pvschedd/pvschedd.d")
    host.assert_without_pvschedd()


@contextlib.contextmanager
def dead_amid_a_boost(host, guest):
    """Daemon and guardian are dead, systemd was told to leave it so, and only the ledger knows."""
    host.run("mkdir -p /run/systemd/system/pvschedd.service.d && printf '[Service]\\nRestart=no\\nExecStopPost=\\n' > "
             "/run/systemd/system/pvschedd.service.d/dead.conf && systemctl daemon-reload")
    qemu = int(host.run(f"awk '/^Tgid:/ {{ print $2 }}' /proc/{guest[0]}/status"))
    try:
        host.boosted(guest)
        # The daemon stands still, so that it does not see its guardian die; perhaps a moment too late for this boost, so
        # what takes long on an emulated CPU comes before the first look. QEMU stands still, too: nothing ends this boost,
        # and a guest that is late would take all of the CPU.
        host.wait_for(f"( d=$(systemctl show -P MainPID pvschedd); g=$(pgrep -x pvschedd-guard) || exit 1; "
                      f"chrt -p {guest[0]} | grep -q SCHED_FIFO || exit 1; kill -STOP $d; kill -9 $g; kill -STOP {qemu}; "
                      f"if chrt -p {guest[0]} | grep -q SCHED_FIFO; then kill -9 $d; else kill -CONT {qemu} $d; "
                      f"pvschedctl enable; exit 1; fi )", "both to be dead amid a boost")
        host.wait_for("! systemctl is-active --quiet pvschedd", "systemd to see it")
        assert host.differences() != []
        yield
    finally:
        host.run(f"kill -CONT {qemu}; rm -rf /run/systemd/system/pvschedd.service.d; systemctl daemon-reload")


@pytest.mark.any_kernel
def test_purge_gives_back_what_a_dead_daemon_left(guest, installed):
    host = installed
    host.calm()
    host.snapshot()
    with dead_amid_a_boost(host, guest):
        apt(host, "purge pvschedd")
        assert host.differences() == []
        host.assert_without_pvschedd()


@pytest.mark.any_kernel
def test_upgrade_gives_back_by_the_old_version(guest, installed):
    """The new version can't: it is no program at all."""
    host = installed
    host.calm()
    host.snapshot()
    host.run(_REPACK.replace("dpkg-deb --root", "printf '#!/bin/false\\n' > /tmp/repack/usr/sbin/pvschedd\ndpkg-deb --root"))
    with dead_amid_a_boost(host, guest):
        apt(host, "install /tmp/pvschedd_next.deb")
        assert host.run("dpkg-query -W -f '${Version}' pvschedd").endswith("+next")
        assert host.differences() == []
        host.run("test ! -e /run/pvschedd/ledger")
