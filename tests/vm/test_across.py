# SPDX-License-Identifier: GPL-2.0-or-later
"""The package of Debian 12 on Debian 13, and its upgrade to that of Debian 13. On hosts of Debian 13 alone."""

import os

from host import PACKAGES
from rig.host import product


def test_package_of_debian_12_runs_and_is_upgraded(host, guest, figure):
    """As after an upgrade of the whole host, which keeps packages that no archive of the new Debian has."""
    (old,) = [path for path in product.packages("bookworm") if os.path.basename(path).startswith("pvschedd_")]
    assert host.machine().remote().send([old], "/root/debian-12/") == 0
    newer = host.run("dpkg-query -W -f '${Version}' pvschedd")
    try:
        # What it needs of Debian 12's libraries is here under the same names, or apt would refuse.
        host.run(f"apt-get install -y -q --allow-downgrades /root/debian-12/{os.path.basename(old)}", timeout=300)
        host.wait_active()
        version = host.run("dpkg-query -W -f '${Version}' pvschedd")
        assert host.code(f"dpkg --compare-versions {version} lt {newer}") == 0, (version, newer)
        status = host.ctl("status")
        assert status["sources"]["bpf"]["ok"] and all(part["ok"] for part in status["tracer_parts"]), status
        with host.unchanged():
            host.policy("latency --persist")
            host.boosted(guest)
            before = host.main_pid()
            host.run(f"DEBIAN_FRONTEND=noninteractive apt-get install -y -q {PACKAGES}/pvschedd_*.deb", timeout=300)
            host.wait_active()
            assert host.run("dpkg-query -W -f '${Version}' pvschedd") == newer
            assert host.main_pid() != before
            host.wait_boosted(guest[0])
        figure(f"package {version} of Debian 12 ran, boosted, and was upgraded to {newer}")
    finally:
        host.run(f"dpkg -i {PACKAGES}/pvschedd_*.deb; rm -r /root/debian-12", timeout=300)
        host.wait_active()
