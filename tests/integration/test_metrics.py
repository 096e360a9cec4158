# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics of a real daemon: the text as OpenMetrics' and Prometheus's own readers see it, the file as node_exporter
does, the rules and the dashboard as promtool does."""

import json
import os
import re
import signal
import stat

import pytest

from prometheus import NodeExporter, get, promtool, samples
from rig import proc

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf")
RULES = f"{CONF}/prometheus/pvschedd.rules.yml"
DASHBOARD = f"{CONF}/grafana/pvschedd.json"
HOSTILE = 'pvsched-it "} 1\\ a=b \u202ec'
LABEL = HOSTILE.replace("\u202e", "\\xe2\\x80\\xae")  # as a label, when the text is read
ESCAPED = LABEL.replace("\\", "\\\\").replace('"', '\\"')  # in the text
PROCFS = {"discovery": ["procfs"]}


@pytest.fixture
def place(tmp_path):
    """A directory for the file, as node_exporter's: its owner's alone to write, for all to read."""
    os.chmod(tmp_path, 0o755)
    return tmp_path


@pytest.fixture
def exporter(place, scene):
    made = NodeExporter(place, scene.deadman)
    yield made
    made.close()


def hostile(scene, **kwargs):
    """A QEMU whose name would break a text that does not escape it; libvirt would not take it."""
    uuid = "6c34795f-f1f3-4451-b711-d6beefbb3011"
    qemu = scene.bare(arguments=["-name", f"guest={HOSTILE},debug-threads=on", "-uuid", uuid], **kwargs)
    qemu.name, qemu.uuid = HOSTILE, uuid
    return qemu


def with_file(place, **host):
    return {"host": {"metrics_file": f"{place}/pvschedd.prom", "metrics_interval_s": 1, **host}}


def written(place):
    """The file's text; "" before it is there."""
    path = f"{place}/pvschedd.prom"
    return proc.read(path) if os.path.exists(path) else ""


def wait_written(place, accept=lambda text: True):
    return proc.wait_for(lambda: accept(written(place)) and written(place), 20, "the metrics file")


def timestamp(text):
    return get(samples(text), "pvsched_metrics_timestamp_seconds") if text else 0


def resting(domain, daemon):
    """Stopped, until its counters rest; its vCPUs in `status`."""
    os.kill(domain.pid, signal.SIGSTOP)
    last = []

    def rests():
        last.append([vcpu for vcpu in daemon.status()["vcpus"] if vcpu["uuid"] == domain.uuid])
        return len(last) > 1 and last[-1] == last[-2] and last[-1]
    return proc.wait_for(rests, 10, "a paused domain to rest", step=0.1)


def test_text_says_what_status_says(scene):
    domain = hostile(scene, vcpus=2, hz=200, busy=4, idle=4)
    daemon = scene.daemon(config={"host": PROCFS})
    daemon.wait_boosted(domain)
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 2 and v["denied_total"], "boosts and denials")
    vcpus = resting(domain, daemon)
    found = samples(daemon.ctl("metrics"))
    for vcpu in vcpus:
        labels = {"domain": LABEL, "vcpu": str(vcpu["vcpu"])}
        boosts = [get(found, "pvsched_vcpu_boosts_total", reason=reason, **labels) for reason in ("interrupt", "awaited", "other")]
        assert sum(boosts) == vcpu["boosts_total"]
        for name, key in (("boosted", "boosted_ns"), ("run", "run_ns"), ("ready", "wait_ns")):
            assert abs(get(found, f"pvsched_vcpu_{name}_seconds_total", **labels) - vcpu[key] / 1e9) < 1e-6, name
    for reason in {reason for vcpu in vcpus for reason in vcpu["denied_total"]}:
        counted = sum(vcpu["denied_total"].get(reason, 0) for vcpu in vcpus)
        assert get(found, "pvsched_vcpu_denied_total", domain=LABEL, reason=reason) == counted
    count = sum(vcpu["wait_us"]["count"] for vcpu in vcpus)
    assert get(found, "pvsched_vcpu_wait_seconds_count", domain=LABEL) == count
    assert get(found, "pvsched_vcpu_wait_seconds_bucket", domain=LABEL, le="+Inf") == count
    assert abs(get(found, "pvsched_vcpu_wait_seconds_sum", domain=LABEL) - sum(v["wait_ns"] for v in vcpus) / 1e9) < 1e-5
    assert get(found, "pvsched_domain_info", domain=LABEL, uuid=domain.uuid, profile="latency") == 1
    assert get(found, "pvsched_domain_vcpus", domain=LABEL) == 2
    status = daemon.status()
    for source, state in status["sources"].items():
        assert get(found, "pvsched_source_up", source=source) == state["ok"], source
    assert get(found, "pvsched_build_info", version=status["version"]) == 1
    assert get(found, "pvsched_vcpu_slots", state="used") == 2


def test_text_is_openmetrics(scene):
    """By the reader of the Python client, which is strict: names, units, order, histograms, # EOF."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="scripts/install-packages test")
    domain = hostile(scene)
    daemon = scene.daemon(config={"host": PROCFS})
    daemon.wait_boosted(domain)
    text = daemon.ctl("metrics")
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["pvsched_vcpu_wait_seconds"].type == "histogram"
    assert families["pvsched_vcpu_boosts"].type == "counter" and families["pvsched_domain"].type == "info"
    assert any(sample.labels.get("domain") == LABEL for sample in families["pvsched_vcpu_boosts"].samples)
    assert daemon.ctl_json("metrics")["text"].endswith("# EOF\n")


def test_counters_go_on_when_a_vcpu_is_taken_on_anew(scene):
    """Its own begin anew; those of its domain never fall."""
    domain = scene.domain(hz=200)
    daemon = scene.daemon()
    daemon.wait_vcpu(domain, lambda v: v["wait_us"]["count"] > 50, "it to wake")
    before = samples(daemon.ctl("metrics"))
    daemon.ctl("policy", "set", domain.name, "off")
    daemon.wait_vcpu(domain, lambda v: v["state"] == "off", "it not to be measured")
    daemon.ctl("policy", "set", domain.name, "latency")
    daemon.wait_boosted(domain)
    anew = daemon.wait_vcpu(domain, lambda v: v["wait_us"]["count"] > 20, "it to wake again")["wait_us"]["count"]
    after = samples(daemon.ctl("metrics"))
    name = "pvsched_vcpu_wait_seconds_count"
    assert get(after, name, domain=domain.name) >= get(before, name, domain=domain.name) + anew


def test_two_domains_of_one_name(scene):
    """Without libvirt that may be; a series that is there twice would cost all of them."""
    uuids = [f"6c34795f-f1f3-4451-b711-d6beefbb301{number}" for number in range(2)]
    for number, uuid in enumerate(uuids):
        scene.bare(f"pvsched-bare-{number}", arguments=["-name", "guest=pvsched-twin,debug-threads=on", "-uuid", uuid])
    daemon = scene.daemon(config={"host": PROCFS})
    proc.wait_for(lambda: len(daemon.status()["vcpus"]) == 2, 20, "both to be found")
    found = samples(daemon.ctl("metrics"))
    assert {dict(labels)["domain"] for name, labels in found if name == "pvsched_domain_info"} == {
        f"pvsched-twin ({uuid})" for uuid in uuids}


def test_file_is_replaced_and_removed(scene, place):
    domain = hostile(scene)
    daemon = scene.daemon(config=with_file(place, **PROCFS))
    daemon.wait_boosted(domain)
    first = wait_written(place, lambda text: ESCAPED in text)
    promtool("check", "metrics", text=first)
    assert stat.S_IMODE(os.stat(f"{place}/pvschedd.prom").st_mode) == 0o644
    with open(f"{place}/pvschedd.prom", encoding="utf-8") as old:
        wait_written(place, lambda text: timestamp(text) > timestamp(first))
        assert samples(old.read())  # whole, though it was replaced
    assert os.listdir(place) == ["pvschedd.prom"]
    # not asked for any more: no thread is left, and no file
    assert "metrics" in proc.threads(daemon.process.pid).values()
    daemon.rewrite({"default_profile": "latency"})
    daemon.ctl("reload")
    assert not os.listdir(place) and "metrics" not in proc.threads(daemon.process.pid).values()
    daemon.rewrite({"default_profile": "latency", **with_file(place, **PROCFS)})
    daemon.ctl("reload")
    wait_written(place)
    assert daemon.stop() == 0
    assert not os.listdir(place)


def test_file_that_cannot_be_written(scene, place):
    """It is said, and everything else goes on."""
    domain = scene.domain()
    daemon = scene.daemon(config=with_file(f"{place}/none"))
    daemon.wait_boosted(domain)
    daemon.wait_log(r"none/pvschedd\.prom can't be written: No such file or directory")
    os.mkdir(f"{place}/none")
    daemon.wait_log(r"none/pvschedd\.prom is written again")
    assert samples(written(f"{place}/none"))


def test_node_exporter_reads_the_file(scene, place, exporter):
    domain = hostile(scene, hz=200)
    daemon = scene.daemon(config=with_file(place, **PROCFS))
    daemon.wait_boosted(domain)

    def served():
        text = exporter.text()
        return "pvsched_vcpu_boosts_total" in text and ESCAPED in text and text
    text = proc.wait_for(served, 30, "node_exporter to serve the file")
    found = samples(text)
    assert get(found, "node_textfile_scrape_error") == 0
    ours = samples(written(place))
    names = {name for name, _ in ours}
    assert names <= {name for name, _ in found}
    for name, kind in re.findall(r"^# TYPE (pvsched_\S+) (\S+)$", written(place), re.M):
        if names & {name, f"{name}_count"}:  # it has samples; one for denials may have none yet
            assert f"# TYPE {name} {kind}\n" in text, name
    vcpus = resting(domain, daemon)
    begin = timestamp(written(place))
    wait_written(place, lambda text: timestamp(text) > begin + 1)
    found = samples(exporter.text())
    assert get(found, "pvsched_vcpu_run_seconds_total", domain=LABEL, vcpu="0") == pytest.approx(vcpus[0]["run_ns"] / 1e9)
    assert get(found, "pvsched_vcpu_wait_seconds_count", domain=LABEL) == vcpus[0]["wait_us"]["count"]


# ---- rules and dashboard ----

def recorded():
    return set(re.findall(r"- record: (\S+)", proc.read(RULES)))


def expressions():
    """[(where, expression)] of the dashboard, with values for Grafana's variables."""
    with open(DASHBOARD, encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    found = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
    return [(title, expr.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$domain", ".*"))
            for title, expr in found]


def rule_expressions():
    return [("rules", match) for match in re.findall(r"^\s+expr: (.*)$", proc.read(RULES), re.M)]


def series_of(expression):
    """Names of series: words with a prefix of ours outside of strings."""
    return set(re.findall(r"\bpvsched[a-z_:0-9]*", re.sub(r'"[^"]*"', "", expression)))


def test_rules_are_valid(tmp_path):
    assert "SUCCESS" in promtool("check", "rules", RULES)
    text = "groups:\n- name: dashboard\n  rules:\n" + "".join(
        f"  - record: dashboard:{number}\n    expr: {json.dumps(expr)}\n" for number, (_, expr) in enumerate(expressions()))
    assert len(expressions()) > 25
    (tmp_path / "dashboard.yml").write_text(text, encoding="utf-8")
    assert f"{len(expressions())} rules found" in promtool("check", "rules", str(tmp_path / "dashboard.yml"))


def test_expressions_name_exported_series(scene):
    domain = scene.domain(hz=200, busy=4, idle=4)
    daemon = scene.daemon()
    daemon.wait_vcpu(domain, lambda v: v["denied_total"], "a denial")
    names = {name for name, _ in samples(daemon.ctl("metrics"))}
    for where, expr in expressions() + rule_expressions():
        assert series_of(expr), (where, expr)
        assert series_of(expr) <= names | recorded(), (where, series_of(expr) - names - recorded())
    # and no series of ours is of no use to anybody who looks
    used = {name for _, expr in expressions() + rule_expressions() for name in series_of(expr)}
    assert len(used) > 20


# When each alert shall fire, and the series that make it: "name{labels} values", one value a minute.
ALERTS = {
    "PvschedMetricsStale": "pvsched_metrics_timestamp_seconds 0+0x60",
    "PvschedBreakerOpen": "pvsched_breaker_open 1+0x60",
    "PvschedRestarts": "pvsched_start_time_seconds 0 1 2 3 4 5 5+0x60",
    "PvschedSourceDown": 'pvsched_source_up{source="bpf"} 0+0x60',
    "PvschedEventsLost": 'pvsched_events_lost_total{source="bpf"} 0+1x60',
    "PvschedDeadlinesMissed": "pvsched_deadlines_missed_total 0+1x60",
    "PvschedDeadlinesRefused": "pvsched_deadlines_refused_total 0+10x60",
    "PvschedNoSlot": 'pvsched_vcpu_slots{state="without"} 3+0x60',
    "PvschedCpuFullOfRealTime": 'pvsched_cpu_foreign_realtime_seconds_total{cpu="0"} 0+50x60',
    "PvschedCpuReadyHigh": 'pvsched_vcpu_ready_seconds_total{domain="web",vcpu="0"} 0+12x60',
    "PvschedBudgetTooSmall": 'pvsched_vcpu_denied_total{domain="web",reason="budget"} 0+10x60; '
                             'pvsched_domain_wakeups_total{domain="web"} 0+100x60',
}
QUIET = ["pvsched_metrics_timestamp_seconds 0+60x60", "pvsched_breaker_open 0+0x60", "pvsched_start_time_seconds 5+0x60",
         'pvsched_source_up{source="bpf"} 1+0x60', 'pvsched_events_lost_total{source="bpf"} 7+0x60',
         "pvsched_deadlines_missed_total 7+0x60", "pvsched_deadlines_refused_total 7+0x60",
         'pvsched_vcpu_slots{state="without"} 0+0x60', 'pvsched_cpu_foreign_realtime_seconds_total{cpu="0"} 0+5x60',
         'pvsched_vcpu_ready_seconds_total{domain="web",vcpu="0"} 0+1x60',
         'pvsched_vcpu_denied_total{domain="web",reason="budget"} 0+1x60', 'pvsched_domain_wakeups_total{domain="web"} 0+100x60']


def test_each_alert_fires_when_it_shall(tmp_path):
    """By promtool's own tests of rules: of each alert's series it fires, of a quiet host's none does."""
    assert set(ALERTS) == set(re.findall(r"- alert: (\S+)", proc.read(RULES)))
    tests = []
    for fires, series in [*ALERTS.items(), (None, "; ".join(QUIET))]:
        inputs = [{"series": one.partition(" ")[0], "values": one.partition(" ")[2]} for one in series.split("; ")]
        # promtool compares all labels and texts; so it is asked for the series ALERTS alone
        tests.append({"interval": "1m", "input_series": inputs, "promql_expr_test": [
            {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "50m",
             "exp_samples": [{"labels": f'{{alertname="{fires}"}}', "value": 1}] if fires else []}]})
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [os.path.abspath(RULES)], "tests": tests}), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "tests.yml"))
