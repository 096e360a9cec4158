# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemon, guardian or both die or hang in mid-boost: every thread gets back what it had."""

import json
import os
import signal
import struct
import time

import pytest

import attributes
from rig import proc
from rig.load import Load

LIMIT_S = 0.1


def poll_until(tids, before, seconds=5):
    """Reads the attributes of the threads without a pause until all are as before; seconds that took."""
    begin = time.monotonic()
    while True:
        if all(attributes.read(tid) == before[tid] for tid in tids):
            return time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            now = {tid: attributes.read(tid) for tid in tids}
            raise AssertionError(f"not as before {seconds} s later: {now}, before: {before}")


def kill_in_mid_boost(scene, domain, before, name):
    """A daemon of its own: the circuit breaker does not count it."""
    daemon = scene.daemon()
    for index in range(len(before)):
        daemon.wait_boosted(domain, index)
    guardian = daemon.guardian()
    begin = time.monotonic()
    daemon.kill()
    taken = poll_until(list(before), before)
    scene.figures.setdefault(name, []).append(1000 * (time.monotonic() - begin))
    daemon.reap()
    proc.wait_for(lambda: proc.start_ticks(guardian) is None, 5, "the guardian to leave")
    return taken


@pytest.mark.often
@pytest.mark.sanitized
@pytest.mark.parametrize("loaded", [False, True], ids=["idle-host", "busy-host"])
def test_kill_9_of_the_daemon(scene, times, loaded):
    domain = scene.domain(vcpus=1, hz=1000)
    before = {tid: attributes.read(tid) for tid in domain.tids()}
    name = f"kill -9 of the daemon to all given back, {'busy' if loaded else 'idle'} host, ms"
    if loaded:
        with Load(domain.tid, deadman=scene.deadman):
            taken = [kill_in_mid_boost(scene, domain, before, name) for _ in range(times)]
    else:
        taken = [kill_in_mid_boost(scene, domain, before, name) for _ in range(times)]
    assert max(taken) < LIMIT_S, taken
    scene.assert_pristine()


def test_kill_9_of_the_daemon_gives_back_every_domain(scene):
    domains = [scene.domain(f"pvsched-it-{n}") for n in range(3)]
    daemon = scene.daemon(config={"profiles": {"interactive": {"share_permille": 60}}}, profile="interactive")
    for domain in domains:
        daemon.wait_boosted(domain)
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: not scene.left(), 2, "all threads and groups to be as they were")


def test_stopped_daemon_is_taken_for_dead(scene):
    """SIGSTOP while the vCPU computes: its budget ends, and the daemon does not answer."""
    domain = scene.domain(busy=20, idle=20, hz=100)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    tid = domain.tid
    before_stop = time.monotonic()
    daemon.kill(signal.SIGSTOP)
    # armed or not at this moment: if it is, the next burst ends its budget
    proc.wait_for(lambda: not attributes.boosted(tid), 2, "the guardian to unboost the vCPU",
                  step=0.001)
    scene.figures.setdefault("daemon stopped to given back, ms", []).append(1000 * (time.monotonic() - before_stop))
    scene.assert_given_back()
    daemon.kill(signal.SIGCONT)
    # alive after all: it says what happened, and an admin may go on
    assert daemon.call("enable").returncode == 0
    daemon.wait_boosted(domain)


@pytest.mark.sanitized
def test_kill_9_of_the_guardian(scene):
    domain, daemon = scene.boosted()
    guardian = daemon.guardian()
    os.kill(guardian, signal.SIGKILL)
    other = proc.wait_for(lambda: {daemon.guardian()} - {guardian, None}, 5, "a new guardian").pop()
    assert proc.start_ticks(other) is not None
    daemon.wait_log("the guardian is gone")
    daemon.wait_boosted(domain)
    # and the new one does its work
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: not scene.left(), 2, "all threads and groups to be as they were")


def test_enable_does_not_wait_for_a_guardian(scene):
    """The first guardian that dies is replaced at once; those that die soon after are replaced later and later."""
    domain, daemon = scene.boosted()
    for _ in range(3):
        pid = daemon.guardian()
        if pid is None:
            break
        os.kill(pid, signal.SIGKILL)
        proc.wait_for(lambda last=pid: daemon.guardian() != last, 5, "the guardian to be missed")
    assert daemon.guardian() is None
    daemon.ctl("enable")
    assert daemon.guardian() is not None
    daemon.wait_boosted(domain)


def test_stopped_guardian_releases(scene):
    domain, daemon = scene.boosted()
    os.kill(daemon.guardian(), signal.SIGSTOP)
    try:
        daemon.wait_reason(domain, "guardian", seconds=5)
        scene.assert_given_back()
    finally:
        for pid in proc.pids_by_name("pvschedd-guard"):
            if os.getpgid(pid) == os.getpgid(daemon.process.pid):
                os.kill(pid, signal.SIGCONT)
    daemon.wait_boosted(domain)


@pytest.mark.sanitized
def test_kill_9_of_both_then_restore(scene):
    domain = scene.domain()
    attributes.set_slack(domain.tid, 7777)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    daemon.kill_both()
    assert attributes.boosted(domain.tid)
    done = daemon.restore()
    assert done.returncode == 0, done.stderr
    # with RT_GROUP_SCHED three groups besides the thread
    assert done.stdout.startswith(("1 given", "2 given", "4 given", "5 given")), done.stdout
    scene.assert_pristine()
    assert daemon.restore().stdout.startswith("0 given back")


def test_kill_9_of_both_then_start(scene):
    domain, daemon = scene.boosted()
    daemon.kill_both()
    assert attributes.boosted(domain.tid)
    assert daemon.call("disable").returncode == 0  # so that what is seen below is not a new boost
    daemon.start()
    assert daemon.status()["recovered_at_start"] >= 1
    scene.assert_given_back()
    assert "left by an earlier run" in daemon.log()


def dies(scene, number, after):
    """The environment in which pvschedd is killed at that change of a thread: dies.c."""
    env = {"LD_PRELOAD": f"{scene.build_dir}/tests/integration/dies.so", "DIES_AT": str(number)}
    return {**env, "DIES_AFTER": "1"} if after else env


CHANGES = 6  # a slice, a first boost, its end, and so on


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_kill_9_at_each_change(scene, after):
    """Between the record and the change, and between the change and what notes it."""
    domain = scene.domain(hz=1000, busy=2, idle=2)
    before = {tid: attributes.read(tid) for tid in domain.tids()}
    for number in range(1, CHANGES + 1):
        daemon = scene.daemon(start=False, env=dies(scene, number, after))
        try:
            daemon.start()
        except proc.RigError:
            pass  # it dies before it is ready, or right after
        assert daemon.reap(20) == -signal.SIGKILL, f"change {number}: {daemon.log()[-2000:]}"
        poll_until(list(before), before)
        done = daemon.restore()
        assert done.returncode == 0, done.stderr
        assert not scene.left(), f"change {number}: {scene.left()}"


def test_kill_9_of_restore_at_each_change(scene):
    """The next one gives back the rest, and nothing twice."""
    domains = [scene.domain(f"pvsched-it-{n}") for n in range(3)]
    daemon = scene.daemon(config={"profiles": {"latency": {"share_permille": 60}}})
    for domain in domains:
        daemon.wait_boosted(domain)
    daemon.kill_both()
    assert any(attributes.boosted(domain.tid) for domain in domains)
    killed = 0
    for number in (1, 1, 2):
        for after in (False, True):
            prefix = ["env", *(f"{name}={value}" for name, value in dies(scene, number, after).items())]
            killed += daemon.restore(prefix).returncode == -signal.SIGKILL
    assert killed >= 3, "it made no changes"
    done = daemon.restore()
    assert done.returncode == 0, done.stderr
    scene.assert_pristine()
    assert daemon.restore().stdout.startswith("0 given back")


def test_restore_refuses_beside_a_daemon(scene):
    domain, daemon = scene.boosted()
    done = daemon.restore()
    assert done.returncode == 1
    assert "a pvschedd runs" in done.stderr
    daemon.wait_boosted(domain)


def test_restore_without_anything(scene):
    daemon = scene.daemon(start=False)
    done = daemon.restore()
    assert done.returncode == 0, done.stderr


def test_damaged_ledger_is_put_aside(scene):
    domain, daemon = scene.boosted()
    assert daemon.stop() == 0
    with open(f"{daemon.runtime_dir}/ledger", "wb") as file:
        file.write(os.urandom(4096))
    daemon.start()
    assert os.path.exists(f"{daemon.runtime_dir}/ledger.bad")
    daemon.wait_boosted(domain)


def change_version(path, by):
    """What another version of the daemon would have left: magic, then the version, and a layout of its own."""
    with open(path, "r+b") as file:
        magic, version = struct.unpack("8sI", file.read(12))
        file.seek(0)
        file.write(struct.pack("8sI", magic, version + by))


def test_ledger_of_another_version_is_refused(scene):
    """Neither read nor lost: the version that wrote it gives back what it names."""
    domain, daemon = scene.boosted()
    ledger = f"{daemon.runtime_dir}/ledger"
    daemon.kill_both()
    change_version(ledger, 1)
    with open(ledger, "rb") as file:
        before = file.read()
    refusal = "another version of pvschedd wrote it: run that version with --restore"
    with pytest.raises(proc.RigError, match=refusal):
        daemon.start()
    assert daemon.reap() == 1
    done = daemon.restore()
    assert done.returncode == 1
    assert refusal in done.stderr
    with open(ledger, "rb") as file:
        assert file.read() == before
    assert not os.path.exists(f"{ledger}.bad")
    assert attributes.boosted(domain.tid)
    change_version(ledger, -1)
    done = daemon.restore()
    assert done.returncode == 0, done.stderr
    scene.assert_pristine()
    assert not os.path.exists(ledger)
    daemon.start()
    daemon.wait_boosted(domain)


def test_second_daemon_is_refused(scene):
    _, daemon = scene.boosted()
    with pytest.raises(proc.RigError, match=f"another pvschedd runs, with pid {daemon.process.pid}"):
        second = scene.daemon(start=False)
        second.runtime_dir = daemon.runtime_dir
        second.start()


@pytest.mark.sanitized
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_clean_end(scene, sig):
    _, daemon = scene.boosted()
    assert daemon.stop(sig) == 0
    scene.assert_pristine()
    assert not os.path.exists(f"{daemon.runtime_dir}/ledger")
    assert not os.path.exists(f"{daemon.runtime_dir}/running")


def open_breaker(daemon, domain):
    """Three unclean ends."""
    for _ in range(3):
        daemon.wait_boosted(domain)
        daemon.kill()
        daemon.reap()
        daemon.start()


def test_circuit_breaker(scene):
    domain = scene.domain()
    daemon = scene.daemon()
    open_breaker(daemon, domain)
    assert daemon.status()["breaker"] == "open"
    daemon.wait_reason(domain, "breaker")
    scene.assert_given_back()
    assert "breaker" in [check["name"] for check in json_checks(daemon) if check["status"] == "fail"]
    assert daemon.call("enable").returncode == 0
    assert daemon.status()["breaker"] == "closed"
    daemon.wait_boosted(domain)


def test_breaker_half_open(scene):
    """Ten minutes after it opened, as its file says: boosts again, and one unclean end opens it."""
    domain = scene.domain()
    daemon = scene.daemon()
    open_breaker(daemon, domain)
    assert daemon.stop() == 0
    path = f"{daemon.runtime_dir}/breaker"
    words = proc.read(path).split()
    assert words[:2] == ["1", "1"]
    words[2] = str((int(words[2]) - 600 * 10**9) % 2**64)
    with open(path, "w", encoding="ascii") as file:
        file.write(" ".join(words))
    daemon.start()
    daemon.wait_boosted(domain)
    assert daemon.status()["breaker"] == "half-open"
    check = next(check for check in json_checks(daemon) if check["name"] == "breaker")
    assert check["status"] == "warn" and "half open" in check["detail"]
    daemon.kill()
    daemon.reap()
    daemon.start()
    daemon.wait_reason(domain, "breaker")
    assert daemon.status()["breaker"] == "open"


def test_stalls_do_not_open_the_breaker(scene):
    """The daemon stands still until the guardian acts, as a host's steal time may do: more often than it may crash."""
    domain = scene.domain(busy=20, idle=20, hz=100)
    daemon = scene.daemon()
    for number in range(1, 6):
        daemon.wait_boosted(domain)
        daemon.kill(signal.SIGSTOP)
        proc.wait_for(lambda: not attributes.boosted(domain.tid), 5, "the guardian to unboost the vCPU", step=0.001)
        daemon.kill(signal.SIGCONT)
        proc.wait_for(lambda number=number: daemon.status()["guardian_acts"] >= number, 5, "the act to be counted")
    daemon.wait_boosted(domain)
    status = daemon.status()
    assert status["breaker"] == "closed" and status["unclean_ends"] == 0
    check = next(check for check in json_checks(daemon) if check["name"] == "breaker")
    assert check["status"] == "warn" and "the booster was late" in check["detail"]


def json_checks(daemon):
    return json.loads(daemon.call("doctor", "--json").stdout)["checks"]
