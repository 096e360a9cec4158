# SPDX-License-Identifier: GPL-2.0-or-later
"""What the journal has of a domain's intervals: the same as what `status` says of the time between two looks."""

import pytest

from journal import Journal
from rig import proc
from rig.libvirtd import virsh

SUMMARY = "5263729967f14a09a1cb0a6a074bcfc1"
TIMES = {"BOOSTED_US": "boosted_ns", "WOULD_BOOSTED_US": "would_boosted_ns", "RUN_US": "run_ns"}


@pytest.fixture
def journal():
    made = Journal()
    yield made
    made.close()


def daemon_with(scene, journal, **kwargs):
    daemon = scene.daemon(config={"summary_interval_s": 1}, start=False, prefix=journal.prefix, **kwargs)
    journal.serve(daemon)
    return daemon.start()


def sleeping(domain, daemon):
    """Paused, until its counters rest; its object in `status`."""
    virsh("suspend", domain.uuid)
    daemon.wait_reason(domain, "paused")
    last = []

    def rests():
        last.append(daemon.vcpu(domain))
        return len(last) > 1 and last[-1]["run_ns"] == last[-2]["run_ns"]
    proc.wait_for(rests, 10, "a paused domain to rest", step=0.1)
    return daemon.vcpu(domain)


def number(records, name):
    return sum(int(record.get(f"PVSCHED_{name}", 0)) for record in records)


def check(records, since, until):
    """The sums of all records are the differences of two looks; a unit may be lost in each record."""
    assert number(records, "BOOSTS") == until["boosts_total"] - since.get("boosts_total", 0)
    for field, key in TIMES.items():
        really = (until[key] - since.get(key, 0)) / 1000
        assert really - len(records) - 1 <= number(records, field) <= really, (field, records)
    denied = {name: count - since.get("denied_total", {}).get(name, 0) for name, count in until["denied_total"].items()}
    names = {field for record in records for field in record if field.startswith("PVSCHED_DENIED_")}
    assert names == {f"PVSCHED_DENIED_{name.upper().replace('-', '_')}" for name, count in denied.items() if count}
    for name, count in denied.items():
        assert number(records, f"DENIED_{name.upper().replace('-', '_')}") == count, name


def caught_up(journal, clock):
    """Two more rounds are over, so all that was before is told. The other domain tells of each round."""
    told = len(journal.about(clock, SUMMARY))
    proc.wait_for(lambda: len(journal.about(clock, SUMMARY)) >= told + 2, 30, "two more summaries")


@pytest.mark.parametrize("profile", ["latency", "observe"])
def test_fields_are_the_difference_of_two_looks(scene, journal, profile):
    # it computes for longer than its burst, so that some boosts are denied
    domain, clock = scene.domain("pvsched-it-a", hz=200, busy=4, idle=4), scene.domain("pvsched-it-b", hz=100)
    virsh("suspend", domain.uuid)
    daemon = daemon_with(scene, journal, profile=profile)
    daemon.wait_reason(domain, "paused")
    first = daemon.vcpu(domain)
    caught_up(journal, clock)
    begin = len(journal.about(domain, SUMMARY))
    virsh("resume", domain.uuid)
    key = "boosts_total" if profile == "latency" else "would_boost_total"
    daemon.wait_vcpu(domain, lambda v: v[key] > 2 and v["wait_us"]["count"] > 50, "some boosts")
    caught_up(journal, clock)
    middle = sleeping(domain, daemon)
    caught_up(journal, clock)
    records = journal.about(domain, SUMMARY)[begin:]
    check(records, first, middle)
    assert records and all(record["PVSCHED_PROFILE"] == profile for record in records)
    assert all(500_000 < int(record["PVSCHED_INTERVAL_US"]) < 30_000_000 for record in records)
    # of all records together, a percentile is none of those beyond all of its parts
    for field, percentile in (("P50", "p50"), ("P99", "p99")):
        parts = [int(record[f"PVSCHED_WAIT_{field}_US"]) for record in records if int(record["PVSCHED_WAIT_MAX_US"])]
        if first["wait_us"]["count"] == 0:
            assert min(parts) <= middle["wait_us"][percentile] <= max(parts), (field, parts)
    longest = max(int(record["PVSCHED_WAIT_MAX_US"]) for record in records)
    assert longest >= middle["wait_us"]["max"] or first["wait_us"]["count"], (longest, middle)
    # what was before is no part of what comes
    begin = len(journal.about(domain, SUMMARY))
    virsh("resume", domain.uuid)
    daemon.wait_vcpu(domain, lambda v: v["wait_us"]["count"] > middle["wait_us"]["count"] + 50, "it to wake again")
    last = sleeping(domain, daemon)
    caught_up(journal, clock)
    check(journal.about(domain, SUMMARY)[begin:], middle, last)


def test_denied_alone_is_told(scene, journal):
    """Its boosts are switched off: nothing is boosted, and it waits; the line says that, with zeros."""
    domain = scene.domain("pvsched-it-a", hz=200)
    daemon = daemon_with(scene, journal)
    daemon.wait_boosted(domain)
    assert daemon.call("disable").returncode == 0
    daemon.wait_reason(domain, "disabled")

    def told():
        return [record for record in journal.about(domain, SUMMARY)
                if record["PVSCHED_BOOSTS"] == "0" and record["PVSCHED_BOOSTED_US"] == "0"
                and int(record["PVSCHED_WAIT_MAX_US"]) > 0]
    proc.wait_for(told, 20, "a summary of an interval without boosts")
