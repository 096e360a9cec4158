# SPDX-License-Identifier: GPL-2.0-or-later
"""The repository as users meet it: real packages, installed, upgraded and purged by apt in a bare Debian."""

import os
import pathlib
import re

import pytest

from two_releases import make

SUITES = {"bookworm": "deb12u1", "trixie": "deb13u1"}

# All that a package could leave; not what apt and dpkg know of packages, nor libraries of others.
INSTALL = """
files() { find /etc /usr/bin /usr/sbin /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/keyrings \\
	/usr/share/doc /usr/share/man /run /var/lib -xdev \\( -path /var/lib/apt -o -path /var/lib/dpkg \\) -prune -o -print |
	grep -e pvsched | sort; }
ln -sfn first PARENT/current
test -z "$(files)"
apt-get install -y -q PARENT/current/pvschedd-archive.deb
apt-get update -q
apt-get install -y -q --no-install-recommends pvschedd
dpkg-query -W -f '${Package} ${Version} ${Maintainer}\\n' pvschedd pvschedd-archive
pvschedd --version
pvschedd --check-config
dpkg --verify pvschedd pvschedd-archive
readlink /etc/systemd/system/multi-user.target.wants/pvschedd.service
for link in $(grep -o '](\\([A-Za-z/-]*\\.md\\))' /usr/share/doc/pvschedd/README.md | tr -d ']()'); do
	test -e "/usr/share/doc/pvschedd/$link"
done
ln -sfn second PARENT/current
apt-get update -q
apt-get upgrade -y -q
dpkg-query -W -f 'upgraded ${Package} ${Version}\\n' pvschedd
apt-get purge -y -q pvschedd pvschedd-archive
test -z "$(files)" || { echo "left: $(files)"; exit 1; }
if getent group pvsched; then exit 1; fi
"""


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Directory with two releases of one key, `first` and `second`, whose address is that of `current`."""
    parent = tmp_path_factory.mktemp("releases")
    for path in (parent, *parent.parents[:2]):
        os.chmod(path, os.stat(path).st_mode | 0o055)  # apt reads as a user of its own
    make(parent, tmp_path_factory.mktemp("work"), parent)
    return parent


@pytest.mark.parametrize("suite", SUITES)
def test_two_commands_install_it_and_a_purge_leaves_nothing(suite, releases, machine):
    said = machine.bare(suite, (), INSTALL.replace("PARENT", str(releases)), "--write", releases)
    version = re.search(r"^pvschedd (\S+) pvschedd tests <tests@example.org>$", said, re.MULTILINE)[1]
    assert version.endswith(f"+{SUITES[suite]}"), version
    assert f"\nupgraded pvschedd {version}+next\n" in said
    assert re.search(r"^(/usr)?/lib/systemd/system/pvschedd.service$", said, re.MULTILINE), said


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_published_is_whole(suite, releases):
    names = sorted(path.name.partition("_")[0] for path in pathlib.Path(releases / "first/apt/pool" / suite).iterdir())
    assert names == ["libpvsched-dev", "libpvsched1", "pvsched-agent", "pvschedd", "pvschedd-archive", "pvschedd-demo", "pvschedd-proxmox"]
