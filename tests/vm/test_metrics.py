# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics file under the unit: refused as shipped, written with the drop-in, which costs no exposure."""

import re

import pytest

from host import GUEST

pytestmark = pytest.mark.any_kernel

DROP_IN = "/etc/systemd/system/pvschedd.service.d/metrics-file.conf"
CONFIG = "/etc/pvschedd/pvschedd.d/50-test.json"
PLACE = "/var/lib/prometheus/node-exporter"  # as Debian's prometheus-node-exporter makes it: root's, 0755


@pytest.fixture
def configured(host):
    host.run(f"install -d -m 755 {PLACE}")
    host.write(CONFIG, f'{{"version": 1, "host": {{"metrics_file": "{PLACE}/pvschedd.prom", "metrics_interval_s": 1}}}}\n')
    try:
        yield
    finally:
        host.run(f"rm -f {DROP_IN} {CONFIG} {PLACE}/pvschedd.prom; rmdir --ignore-fail-on-non-empty $(dirname {DROP_IN}); "
                 "systemctl daemon-reload", check=False)
        host.restart()
        host.run(f"rmdir -p --ignore-fail-on-non-empty {PLACE}", check=False)


def test_as_shipped_it_says_what_is_missing(configured, host):
    host.restart()
    host.wait_for("journalctl -u pvschedd -b --no-pager | grep -q 'pvschedd.prom can.t be written: Read-only file system; "
                  "under systemd this needs the drop-in metrics-file.conf'", "the daemon to say so")
    assert host.run(f"ls -A {PLACE}") == ""


def test_with_the_drop_in(configured, guest, host):
    host.run(f"install -Dm644 /usr/share/pvschedd/metrics-file.conf {DROP_IN} && systemctl daemon-reload")
    host.restart()
    host.wait_for(f"grep -q 'pvsched_vcpu_run_seconds_total{{domain=\"{GUEST}\",vcpu=\"0\"}}' {PLACE}/pvschedd.prom",
                  "the file with the guest's series")
    assert host.run(f"stat -c %a:%U {PLACE}/pvschedd.prom").strip() == "644:root"
    text = host.run("systemd-analyze security pvschedd --no-pager | tail -n 1")
    assert float(re.search(r"exposure level for pvschedd.service: ([\d.]+)", text)[1]) <= 2.0, text
    host.run("systemctl stop pvschedd")
    assert host.run(f"ls -A {PLACE}") == ""
    host.run("systemctl start pvschedd")
