# SPDX-License-Identifier: GPL-2.0-or-later
"""Installed, upgraded, removed, purged: with apt, as users do it."""

import pytest

from host import GUEST, PACKAGES

CONFIG = "/etc/pvschedd/pvschedd.json"

# A package like the installed one, with a higher version and nothing else changed.
_REPACK = f"""set -e
rm -rf /tmp/repack && mkdir /tmp/repack
dpkg-deb -R {PACKAGES}/pvschedd_*.deb /tmp/repack
sed -i 's/^Version: .*/&+next/' /tmp/repack/DEBIAN/control
dpkg-deb --root-owner-group -Znone -b /tmp/repack /tmp/pvschedd_next.deb
rm -r /tmp/repack
"""


def apt(host, arguments):
    return host.run(f"DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -y -q {arguments}", timeout=300)


@pytest.fixture
def installed(host):
    """Whatever the test does: afterwards the package is there as it was shipped."""
    yield host
    host.run(f"{{ rm -f /etc/pvschedd/pvschedd.d/*; apt-get purge -y -q pvschedd; dpkg -i {PACKAGES}/pvschedd_*.deb; }} 2>&1",
             timeout=300)
    host.wait_active()


def test_installed_means_enabled_started_and_observing(host):
    assert host.run("systemctl is-enabled pvschedd").strip() == "enabled"
    assert host.run("systemctl is-active pvschedd").strip() == "active"
    assert host.run(f"grep default_profile {CONFIG}").strip() == '"default_profile": "observe",'
    assert host.run("dpkg --verify pvschedd") == ""
    assert host.run(f"dpkg-query -W -f '${{Conffiles}}' pvschedd").split()[0] == CONFIG
    assert host.run("stat -c '%U:%G %a' /run/pvschedd/control.sock").strip() == "root:pvsched 660"
    for page in ("8/pvschedd.8", "8/pvschedctl.8", "5/pvschedd.json.5"):
        host.run(f"test -s /usr/share/man/man{page}.gz")


def test_completion_names_the_running_domains(guest, host):
    """In the shell of an admin, with Debian's bash-completion; a name with a blank and a colon."""
    script = """
. /usr/share/bash-completion/bash_completion
. /usr/share/bash-completion/completions/pvschedctl
COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $1 != *' ' ]] || { COMP_WORDS+=(''); ((++COMP_CWORD)); }
_pvschedctl; printf '%s\\n' "${COMPREPLY[@]}"
"""
    host.write("/root/complete", script)
    assert host.run("bash /root/complete 'pvschedctl sh'").split() == ["show"]
    assert host.run("bash /root/complete 'pvschedctl show '").strip() == GUEST.replace(" ", "\\ ")
    host.run("systemctl stop pvschedd")
    assert host.run("bash /root/complete 'pvschedctl show vm'").strip() == GUEST.replace(" ", "\\ ")


def test_upgrade_releases_swaps_and_resumes(guest, installed):
    host = installed
    host.run(f"sed -i 's/\"summary_interval_s\": 300/\"summary_interval_s\": 301/' {CONFIG}")
    host.run(f"pvschedctl policy set '{GUEST}' latency --persist")
    host.wait_boosted(guest[0])
    before = host.main_pid()
    host.run(_REPACK)
    mark = host.cursor()
    apt(host, "install /tmp/pvschedd_next.deb")
    host.wait_active()
    assert host.run("dpkg-query -W -f '${Version}' pvschedd").endswith("+next")
    assert host.main_pid() != before
    assert "301" in host.run(f"grep summary_interval_s {CONFIG}")
    host.wait_journal("ready", mark)
    host.wait_boosted(guest[0])
    words = [entry["MESSAGE"] for entry in host.journal(mark)]
    assert any("everything is given back" in text for text in words), words


def test_purge_leaves_nothing(guest, installed):
    host = installed
    host.run("systemctl stop pvschedd")
    host.snapshot()
    host.run("systemctl start pvschedd")
    host.run("pvschedctl enable")
    host.wait_for(f"pvschedctl policy set '{GUEST}' latency --persist", "the guest to be discovered")
    host.wait_boosted(guest[0])
    host.write("/etc/pvschedd/pvschedd.d/10-admin.json", '{"version": 1}\n')
    apt(host, "purge pvschedd")
    assert host.differences() == []
    assert host.run("ls -d /etc/pvschedd /var/lib/pvschedd /run/pvschedd /usr/share/pvschedd 2>/dev/null; true") == ""
    assert host.run("getent group pvsched; getent passwd pvsched; true") == ""
    assert host.run("find / -xdev \\( -path /opt/pvschedd-rig -o -path /proc -o -path /tmp \\) -prune -o -name '*pvsched*' "
                    "-print | grep -v '^/usr/lib/pvschedd-rig\\|^/run/pvschedd-rig\\|^/var/lib/apt\\|/rig'; true") == ""
    assert host.code("systemctl cat pvschedd") != 0


@pytest.mark.xfail(strict=True, reason="the daemon ends where it should observe, when the configuration is of a newer "
                                       "version")
def test_newer_configuration_is_observed_with_an_error(installed):
    host = installed
    mark = host.cursor()
    host.run(f"sed -i 's/\"version\": 1/\"version\": 2, \"of_tomorrow\": true/' {CONFIG}; "
             "systemctl restart pvschedd; true")
    host.wait_journal("config-refused", mark)
    assert host.run("systemctl is-active pvschedd; true").strip() == "active"
