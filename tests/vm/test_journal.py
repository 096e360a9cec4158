# SPDX-License-Identifier: GPL-2.0-or-later
"""What an admin reads: structured fields, and explanations from the catalog."""

import pytest

from host import GUEST, MESSAGE_IDS

pytestmark = pytest.mark.any_kernel


def test_readiness_has_its_id_and_is_explained(host):
    mark = host.cursor()
    host.restart()
    entry = host.wait_journal("ready", mark)
    assert entry["_SYSTEMD_UNIT"] == "pvschedd.service" and entry["SYSLOG_IDENTIFIER"] == "pvschedd"
    text = host.run(f"journalctl -x --no-pager MESSAGE_ID={MESSAGE_IDS['ready']} -n 1")
    assert "-- Subject: pvschedd is ready" in text.replace("░░", "--"), text
    assert "pvschedctl doctor" in text


def test_every_message_is_in_the_catalog(host):
    known = host.run("journalctl --list-catalog --no-pager")
    for name, message_id in MESSAGE_IDS.items():
        assert message_id in known, name


def test_summary_names_the_domain(guest, host):
    host.write("/etc/pvschedd/pvschedd.d/50-test.json", '{"version": 1, "summary_interval_s": 1}\n')
    try:
        mark = host.cursor()
        host.restart()  # a reload keeps the old interval until it is over
        entry = host.wait_journal("summary", mark)
        assert entry["PVSCHED_DOMAIN"] == GUEST
        assert int(entry["PVSCHED_INTERVAL_US"]) > 0 and entry["PVSCHED_PROFILE"]
        assert {"PVSCHED_BOOSTS", "PVSCHED_RUN_US", "PVSCHED_WAIT_P99_US"} <= set(entry)
        assert host.journal(mark, PVSCHED_DOMAIN=GUEST)
        text = host.run(f"journalctl -x --no-pager MESSAGE_ID={MESSAGE_IDS['summary']} -n 1")
        assert f"What pvschedd did for {GUEST}" in text, text
    finally:
        host.run("rm /etc/pvschedd/pvschedd.d/50-test.json")
        host.restart()
