# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's units on a Debian with systemd: what runs on a CPU to be avoided leaves it, and comes back.

The host that the agent talks to is played (rig.channel) on the same machine.
"""

import json

import pytest

from host import PACKAGES

CONFIG = "/etc/pvsched-agent.json"
DROP_IN = "/etc/systemd/system/pvsched-agent.service.d/50-test.conf"
RECORD = "/run/pvsched-aside/record"
# 5 s, twice: an emulated CPU stands still while this machine does other things.
BACK_S = 10
# Plays the host at a socket, for one agent after the other; into the FIFO go CPUs to avoid, "none", or "end" to hang up.
PLAYS = '''
import contextlib, os, sys
sys.path.insert(0, "/opt/pvschedd-rig/tests")
from rig.channel import Host
host = Host("/run/test-aside.socket")
os.mkfifo("/run/test-aside.fifo")
fifo = os.open("/run/test-aside.fifo", os.O_RDWR | os.O_NONBLOCK)
while True:
    hello = host.accept(600)
    host.serve(hello)
    said = ""
    while host.is_quiet(0.1) and said != "end":
        with contextlib.suppress(BlockingIOError):
            said = os.read(fifo, 4096).decode()
            avoid = set(map(int, said.split())) if said[0].isdigit() else set()
            for cpu in hello.cpus:
                host.tell(7, [cpu], host_flags=2 if cpu in avoid else 0)
    host.hang_up()
'''
# Prints what ran on CPU 1 within a second, other than threads that the kernel has bound there.
RUNS = '''
import glob, time
def look():
    found = {}
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*"):
        try:
            with open(path + "/stat", encoding="utf-8", errors="replace") as file:
                comm, _, rest = file.read().partition("(")[2].rpartition(")")
            with open(path + "/schedstat", encoding="ascii") as file:
                ran = int(file.read().split()[0])
        except OSError:
            continue
        rest = rest.split()
        found[path] = (ran, rest[36] == "1" and int(rest[6]) & 0x04200000 != 0x04200000, comm)
    return found
before = look()
time.sleep(1)
for path, (ran, there, comm) in look().items():
    if there and ran > before.get(path, (0,))[0]:
        print(path, comm)
'''
# Prints the affinity of each task by TID and start time, without threads that the kernel moves itself, as its workers.
AFFINITIES = '''
import glob, json, os
found = {}
for path in glob.glob("/proc/[0-9]*/task/[0-9]*"):
    try:
        with open(path + "/stat", encoding="utf-8", errors="replace") as file:
            tid, _, text = file.read().partition(" (")
        rest = text.rpartition(")")[2].split()
        if not int(rest[6]) & 0x04000000:
            found[tid + " " + rest[19]] = sorted(os.sched_getaffinity(int(tid)))
    except OSError:
        continue
print(json.dumps(found))
'''


def has_cpuset(host):
    """libvirt enables it for a domain, and it stays enabled."""
    return host.code("grep -qw cpuset /sys/fs/cgroup/cgroup.subtree_control") == 0


def enables_cpuset(host):
    """What pvsched-agent(8) says for kernels before 6.2."""
    host.run("for unit in init.scope system.slice user.slice machine.slice; do "
             "systemctl set-property --runtime $unit AllowedCPUs=0-1; done")


@pytest.fixture(name="played")
def _played(host):
    """An agent under its unit, served by a played host, and tasks that are busy, and bound. pvschedd is stopped: its
    guardian takes an emulated CPU that is slow for a daemon that hangs."""
    host.run("systemctl stop pvschedd")
    host.write("/run/test-aside.py", PLAYS)
    host.write("/run/test-runs.py", RUNS)
    host.write("/run/test-affinities.py", AFFINITIES)
    host.run("systemd-run -q --unit test-aside-host python3 /run/test-aside.py")
    host.wait_for("test -p /run/test-aside.fifo", "the played host")
    host.run(f"mkdir -p $(dirname {DROP_IN})")
    host.write(DROP_IN, "[Service]\nExecStart=\nExecStart=/usr/sbin/pvsched-agent --wait --channel /run/test-aside.socket\n")
    host.write(CONFIG, '{"step_aside": "host"}\n')
    try:
        # It starts the unit.
        host.run(f"dpkg -i --force-confold {PACKAGES}/pvsched-agent_*.deb", timeout=180)
        wait_status(host, "served", '"served":true')
        yield host
        assert host.code(f"test -e {RECORD}") != 0
    finally:
        host.run("systemctl stop pvsched-agent test-aside-host 'test-busy*'; dpkg -P pvsched-agent; "
                 f"rm -rf {DROP_IN} {CONFIG} /run/test-* /run/pvsched-aside; rmdir $(dirname {DROP_IN}); "
                 "for unit in init.scope system.slice user.slice machine.slice; do "
                 "systemctl set-property --runtime $unit AllowedCPUs=; done; systemctl daemon-reload; "
                 "systemctl start pvschedd", check=False, timeout=180)


def tell(host, what):
    host.run(f"printf {what} >/run/test-aside.fifo")


def wait_status(host, what, text, seconds=60):
    host.wait_for(f"pvsched-agent status --json 2>/dev/null | grep -q '{text}'", f"the agent to say {what}", seconds)


def aside(host):
    return json.loads(host.run("pvsched-agent status --json"))["step_aside"]


def affinities(host):
    return json.loads(host.run("python3 /run/test-affinities.py"))


def begin_tasks(host):
    host.run("systemd-run -q --unit test-busy-bound taskset -c 0 sleep 3600; "
             "for i in 1 2 3; do systemd-run -q --unit test-busy-$i sh -c 'while :; do :; done'; done")
    host.wait_for("pgrep -x sleep >/dev/null && python3 /run/test-runs.py | grep -q ' sh$'", "tasks to run on CPU 1")


def away(host):
    tell(host, "1")
    wait_status(host, "away", '"state":"away","cpus":\\[1\\]')


def before_6_2(host):
    return tuple(map(int, host.release().split("-")[0].split(".")[:2])) < (6, 2)


def test_away_and_back(played, figure):
    host = played
    if before_6_2(host) and not has_cpuset(host):
        tell(host, "1")
        wait_status(host, "why it does not step aside", '"reason":"cpuset-off"')
        assert "forgets" in host.run("pvsched-agent status") and host.code(f"test -e {RECORD}") != 0
        tell(host, "none")
        wait_status(host, "back", '"state":"back"')
        enables_cpuset(host)
    begin_tasks(host)
    units = host.run("grep -s . /sys/fs/cgroup/*/cpuset.cpus; true")
    before = affinities(host)
    away(host)
    # A task that waits on CPU 1 is moved at once; what is emulated may take a while to get there.
    host.wait_for("test -z \"$(python3 /run/test-runs.py)\"", "CPU 1 to have nothing to do", 10)
    assert host.run("python3 /run/test-runs.py") == ""
    report = aside(host)
    assert (report["by"], report["left_out"], report["units_left"]) == ("host", [], 0)
    assert report["tasks_kept"] > 0 or not before_6_2(host)
    assert "step aside: away, by host: 1 since" in host.run("pvsched-agent status")
    bound = host.run("pgrep -x sleep | head -n 1").strip()
    assert host.run(f"taskset -cp {bound}").strip().endswith(": 0")
    tell(host, "none")
    wait_status(host, "back", '"state":"back","cpus":\\[\\]')
    after = affinities(host)
    assert {task: cpus for task, cpus in after.items() if before.get(task, cpus) != cpus} == {}
    assert len(set(before) & set(after)) > 20
    assert host.run("grep -s . /sys/fs/cgroup/*/cpuset.cpus; true") == units
    host.wait_for("python3 /run/test-runs.py | grep -q ' sh$'", "tasks to come back", 10)
    figure(f"{report['units']} units, {report['irqs']} interrupts, {report['irqs_fixed']} that are fixed")


def test_a_task_is_bound(played):
    host = played
    if before_6_2(host):
        enables_cpuset(host)
    host.run("systemd-run -q --unit test-busy-bound taskset -c 1 sleep 3600")
    host.wait_for("taskset -cp $(pgrep -x sleep | head -n 1) | grep -q ': 1$'", "the task to be bound")
    tell(host, "1")
    wait_status(host, "that a task is bound", '"reason":"tasks-bound"')
    report = aside(host)
    assert (report["left_out"], report["cpus"]) == ([1], []) and report["tasks_bound"] >= 1
    assert host.code(f"test -e {RECORD}") != 0
    tell(host, "none")
    wait_status(host, "back", '"state":"back"')


def test_killed(played):
    host = played
    if before_6_2(host):
        enables_cpuset(host)
    begin_tasks(host)
    before = affinities(host)
    away(host)
    host.run("systemctl kill -s KILL pvsched-agent")
    host.wait_for(f"! test -e {RECORD}", "what was moved to be given back", BACK_S)
    after = affinities(host)
    assert {task: cpus for task, cpus in after.items() if before.get(task, cpus) != cpus} == {}
    host.wait_for("systemctl is-active -q pvsched-agent", "the next agent")


def test_the_host_is_gone(played):
    host = played
    if before_6_2(host):
        enables_cpuset(host)
    away(host)
    tell(host, "end")
    host.wait_for(f"! test -e {RECORD}", "what was moved to be given back", BACK_S)
    wait_status(host, "back", '"state":"back"')
