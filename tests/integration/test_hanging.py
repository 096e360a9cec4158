# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that makes those hang that look at it costs its own guest pages, and others nothing."""

import json
import os
import signal
import subprocess
import time

import pytest

import attributes
from hanging import Hangings
from rig import proc
from rig.daemon import program
from rig.pages import Region

STOP_S = 5   # what a stop may take: the daemon's own waits and a margin, far below TimeoutStopSec


@pytest.fixture
def hangings(scene, tmp_path):
    return Hangings(scene, tmp_path)


def carrier(daemon, domain):
    return daemon.ctl_json("show", domain.uuid)["domain"]["carrier"]


def wait_carrier(daemon, domain, state, seconds=15):
    try:
        return proc.wait_for(lambda: domain.name in daemon.names() and carrier(daemon, domain)["state"] == state, seconds,
                             f"the carrier of {domain.name} to be {state}")
    except proc.RigError as error:
        raise proc.RigError(f"{error}; it is {carrier(daemon, domain)}; {daemon.log()[-2000:]}") from None


def reader(daemon):
    """What `status` says of the reader, and its pid."""
    said = daemon.status()["sources"]["reader"]
    words = said["detail"].split()
    return said, int(words[1].rstrip(",;")) if words[0] == "pid" else None


def thread(pid, name):
    return next(tid for tid, comm in proc.threads(pid).items() if comm == name)


def state_of(pid, tid):
    return proc.read(f"/proc/{pid}/task/{tid}/stat").rpartition(")")[2].split()[0]


def enabled(domain):
    with Region(domain.pid) as memory:
        memory.page().negotiate()


def check_quick_end(scene, daemon, boosted):
    """Whatever hangs: everything is given back on a stop, and after a kill; another daemon starts."""
    daemon.wait_boosted(boosted)
    begin = time.monotonic()
    daemon.stop()
    took = time.monotonic() - begin
    scene.figures.setdefault(f"stop beside a thread that hangs, s (bound {STOP_S})", []).append(took)
    assert took < STOP_S, took
    assert not attributes.boosted(boosted.tid)
    daemon.start()
    daemon.wait_boosted(boosted)


def check_killed(scene, daemon, boosted):
    daemon.wait_boosted(boosted)
    daemon.kill_both()
    done = daemon.restore()
    assert done.returncode == 0, done.stderr
    assert not attributes.boosted(boosted.tid)
    daemon.start()
    daemon.wait_boosted(boosted)
    daemon.kill()
    daemon.reap(STOP_S)
    proc.wait_for(lambda: not attributes.boosted(boosted.tid), 5, "the guardian to give everything back")


def test_holes_are_punched(scene, hangings):
    """The booster does not wait for memory into which its owner punches holes, as fast as it can."""
    culprit, neighbour = hangings.begin("punch"), hangings.begin("no")
    daemon = hangings.daemon()
    for domain in (culprit, neighbour):
        daemon.wait_boosted(domain)
        wait_carrier(daemon, domain, "open")
        enabled(domain)
    culprit.hang()
    booster = thread(daemon.process.pid, "booster")
    boosted_ns = daemon.vcpu(neighbour)["boosted_ns"]
    longest = waits_since = 0
    end = time.monotonic() + 5
    while time.monotonic() < end:
        now = time.monotonic()
        if state_of(daemon.process.pid, booster) != "D":
            waits_since = 0
        elif not waits_since:
            waits_since = now
        else:
            longest = max(longest, now - waits_since)
    scene.figures.setdefault("longest wait of the booster in the kernel, ms (bound 10)", []).append(1000 * longest)
    assert longest < 0.010, f"the booster waited for {1000 * longest} ms"
    assert daemon.vcpu(neighbour)["boosted_ns"] > boosted_ns
    status = daemon.status()
    assert status["breaker"] == "closed" and status["guardian_acts"] == 0, status


@pytest.mark.sanitized
def test_a_look_that_hangs(scene, hangings):
    """It has no guest pages and is boosted as others are; these are found, heard and boosted meanwhile."""
    culprit, neighbour = hangings.begin("look"), hangings.begin("no")
    daemon = hangings.daemon()
    wait_carrier(daemon, neighbour, "open")
    enabled(neighbour)
    new = hangings.begin("no")
    daemon.wait_boosted(new)
    wait_carrier(daemon, new, "open")
    enabled(new)
    wait_carrier(daemon, culprit, "stuck")
    assert "did not end within 2 s" in carrier(daemon, culprit)["detail"]
    daemon.wait_log(f'domain "{culprit.name}": guest pages: a look at QEMU')
    said = reader(daemon)[0]
    assert not said["ok"] and str(culprit.pid) in said["detail"], said
    checks = {check["name"]: check for check in json.loads(daemon.ctl("doctor", "--json", check=False))["checks"]}
    assert checks["reader"]["status"] == "warn" and checks["reader"]["fix"]
    assert "did not end" in checks[f"domain {culprit.name}"]["detail"]
    # it is not looked at again
    daemon.ctl("reload")
    for domain in (culprit, neighbour, new):
        daemon.wait_boosted(domain)
    assert daemon.log().count("guest pages: a look at QEMU") == 1
    check_quick_end(scene, daemon, neighbour)
    check_killed(scene, daemon, neighbour)


def test_the_fifth_is_not_looked_at(scene, hangings):
    culprits = [hangings.begin("look") for _ in range(4)]
    last = hangings.begin("no")
    daemon = hangings.daemon()
    wait_carrier(daemon, last, "open")
    for culprit in culprits:
        wait_carrier(daemon, culprit, "stuck")
    proc.wait_for(lambda: "no other QEMU" in reader(daemon)[0]["detail"], 10, "four to be counted")
    # a new one is found and boosted as the others are; its memory is not looked at
    fifth = hangings.begin("no")
    daemon.wait_boosted(fifth)
    wait_carrier(daemon, fifth, "not-tried")
    daemon.wait_boosted(last)
    # one is gone: there is room
    culprits[0].kill()
    wait_carrier(daemon, fifth, "open")
    daemon.wait_boosted(last)


def test_a_close_that_never_ends(scene, hangings):
    """A file whose close no signal ends: the reader's thread hangs, and nothing waits for that process."""
    culprit, neighbour = hangings.begin("flush"), hangings.begin("no")
    daemon = hangings.daemon()
    for domain in (culprit, neighbour):
        daemon.wait_boosted(domain)
        wait_carrier(daemon, domain, "open")
    culprit.hang()
    end = time.monotonic() + 60
    while not culprit.caught() and time.monotonic() < end:
        daemon.ctl("reload")
    if not culprit.caught():
        pytest.skip("the swap was never in time")
    wait_carrier(daemon, culprit, "stuck")
    pid = reader(daemon)[1]
    daemon.wait_boosted(neighbour)
    wait_carrier(daemon, neighbour, "open")
    check_quick_end(scene, daemon, neighbour)
    states = {state_of(pid, tid) for tid in proc.threads(pid)}
    assert "D" in states, f"the first reader's thread does not hang any more: {states}"
    check_killed(scene, daemon, neighbour)
    done = subprocess.run([program(scene.build_dir, "pvschedd"), "--restore", "--runtime-dir", daemon.runtime_dir],
                          capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
    # the server of the file ends with the culprit, and the close with it
    culprit.kill()
    proc.wait_for(lambda: not os.path.isdir(f"/proc/{pid}"), 10, "the first reader to be gone")


@pytest.mark.sanitized
def test_the_reader_is_killed(scene, hangings):
    """Another one is started, and guests are heard again; boosts go on."""
    domain = hangings.begin("no")
    daemon = hangings.daemon()
    daemon.wait_boosted(domain)
    wait_carrier(daemon, domain, "open")
    enabled(domain)
    for _ in range(2):
        with Region(domain.pid) as memory:
            generation = memory.generation
            pid = reader(daemon)[1]
            os.kill(pid, signal.SIGKILL)
            memory.wait_host(other_than=generation, seconds=15)
            memory.page().negotiate()
        assert reader(daemon)[1] not in (None, pid)
        daemon.wait_boosted(domain)
    daemon.wait_log("the reader is gone")
    status = daemon.status()
    assert status["guardian_acts"] == 0 and status["breaker"] == "closed"


def test_what_the_reader_has(scene, hangings):
    """No lock, no ledger, no socket of the guardian's; two privileges; no real-time thread."""
    domain = hangings.begin("no")
    daemon = hangings.daemon()
    wait_carrier(daemon, domain, "open")
    pid = reader(daemon)[1]
    links = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2)
    kinds = [link.split(":")[0] for link in links]
    assert kinds == ["/memfd", "/memfd", "anon_inode", "socket", "socket"], links
    status = proc.read(f"/proc/{pid}/status")
    for line in ("CapPrm:\t0000000000080004", "CapEff:\t0000000000080004", "CapInh:\t0000000000000000", "NoNewPrivs:\t1"):
        assert line in status, status
    assert {os.sched_getscheduler(tid) for tid in proc.threads(pid)} == {os.SCHED_OTHER}
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: not os.path.isdir(f"/proc/{pid}"), 5, "the reader to end with the daemon")
