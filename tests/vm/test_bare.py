# SPDX-License-Identifier: GPL-2.0-or-later
"""From a Debian that never had pvschedd: the commands of the README, with a repository that scripts/release made. Then an
upgrade to the next release, and a purge. The host has no network, so the libraries that the package needs are there; the
suite `release` installs it where apt must fetch them."""

import tarfile
import time

import pytest

from host import Host
from release import two_releases
from rig.host import product

PLACE = "/srv/pvschedd"
APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -y -q"
OBSERVES = two_releases.ROOT / "debian/tests/observes"


@pytest.fixture(scope="module")
def releases(request, tmp_path_factory):
    """Directory with two releases of this checkout for the host's Debian."""
    debian = request.config.option.host
    parent, work = tmp_path_factory.mktemp("releases"), tmp_path_factory.mktemp("work")
    pool = tmp_path_factory.mktemp("pool")
    for path in product.packages(debian):
        two_releases.run("cp", path, pool)
    source = tmp_path_factory.mktemp("source") / "pvschedd-0.tar.xz"  # which these commands do not touch
    with tarfile.open(source, "w:xz"):
        pass
    two_releases.make(parent, work, PLACE, "--suite", debian, f"--packages={debian}={pool}", "--source", source)
    return parent


@pytest.fixture
def bare(host, releases):
    """A second host, without pvschedd, that has the two releases."""
    there = Host(host.debian, host.kernel, f"{host.name}c", plain=True)
    try:
        there.assert_without_pvschedd()
        assert there.code("command -v pvschedd || command -v pvschedctl") != 0
        assert there.machine().remote().send([str(releases / name) for name in ("first", "second")], f"{PLACE}/") == 0
        assert there.machine().remote().send([str(OBSERVES)], "/root/") == 0
        there.run(f"ln -sfn first {PLACE}/current; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        yield there
    finally:
        there.clean()


def timed(host, command):
    """How long it takes, in s."""
    begin = time.monotonic()
    host.run(command, timeout=300)
    return time.monotonic() - begin


def test_two_commands_to_an_observing_daemon(bare, figure):
    host = bare
    adds = timed(host, f"{APT} install {PLACE}/current/pvschedd-archive.deb && apt-get update -q")
    installs = timed(host, f"{APT} install pvschedd")
    assert host.run("systemctl is-active pvschedd").strip() == "active"
    assert host.run("systemctl is-enabled pvschedd").strip() == "enabled"
    status = host.ctl("status")
    assert status["sources"]["bpf"]["ok"] and all(part["ok"] for part in status["tracer_parts"]), status
    host.run("/root/observes", timeout=300)  # a domain
    done = host.run("pvschedctl doctor; echo exit $?")
    assert done.splitlines()[-1] == "exit 0", done
    figure(f"a Debian without pvschedd: {adds:.1f} s for the repository, {installs:.1f} s for an observing daemon (the host is "
           "emulated, and has the libraries)")
    # the next release
    version = host.run("dpkg-query -W -f '${Version}' pvschedd")
    pid = host.main_pid()
    seconds = timed(host, f"ln -sfn second {PLACE}/current; apt-get update -q && {APT} upgrade")
    assert host.run("dpkg-query -W -f '${Version}' pvschedd") == f"{version}+next"
    assert host.run("systemctl is-active pvschedd").strip() == "active" and host.main_pid() != pid
    host.run("/root/observes", timeout=300)
    figure(f"upgrade to the next release, by apt-get update and upgrade: {seconds:.1f} s")
    host.run(f"{APT} purge pvschedd pvschedd-archive", timeout=180)
    host.run(f"rm -r {PLACE}; test ! -e /etc/apt/sources.list.d/pvschedd.sources")
    host.assert_without_pvschedd()
