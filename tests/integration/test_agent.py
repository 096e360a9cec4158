# SPDX-License-Identifier: GPL-2.0-or-later
"""pvsched-agent with this machine as the guest: its tracer, its pages, its programs. The test plays the host."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rig.channel import NO_DOMAIN, Host, Pages

FIFO, RR = 1, 2
# A thread of a known class on one CPU; it ends with the test.
SPINS = """
import os, sys
policy, priority, nice, cpu = map(int, sys.argv[1:])
os.sched_setaffinity(0, {cpu})
os.nice(nice)
os.sched_setscheduler(0, policy, os.sched_param(priority))
print(flush=True)
while os.getppid() == int(os.environ["PARENT"]):
    pass
"""


def wait_until(reached, what, timeout_s=20):
    until = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < until, what
    return True


class Agent:
    """A running agent, and the host that it talks to."""

    def __init__(self, build_dir, tmp_path):
        self._program = f"{build_dir}/pvsched-agent"
        self.path, self.socket = str(tmp_path / "host"), str(tmp_path / "agent.sock")
        self.host = Host(self.path)
        self.process = self._pages = None
        self._log = tmp_path / "log"

    def start(self, *options):
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen([self._program, "--channel", self.path, "--socket", self.socket, *options],
                                            stderr=log)

    def begin(self, generation=7):
        """Starts, and is served."""
        self.start("--wait")
        hello = self.host.accept()
        self.host.serve(hello, generation)
        return hello

    def log(self):
        return self._log.read_text(encoding="utf-8")

    @property
    def pages(self):
        if not self._pages:
            self._pages = Pages(self.process.pid, os.cpu_count())
        return self._pages

    def status(self):
        done = subprocess.run([self._program, "status", "--json", "--socket", self.socket], capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout)

    def table(self):
        return subprocess.run([self._program, "status", "--socket", self.socket], capture_output=True, text=True,
                              check=True).stdout

    def end(self, how=signal.SIGTERM):
        if self._pages:
            self._pages.close()
            self._pages = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(10) if self.process else None

    def close(self):
        self.end(signal.SIGKILL)
        self.host.close()


@pytest.fixture
def agent(build_dir, tmp_path):
    made = Agent(build_dir, tmp_path)
    yield made
    made.close()


@contextlib.contextmanager
def spinner(policy, priority, nice, cpu):
    process = subprocess.Popen([sys.executable, "-c", SPINS, *map(str, (policy, priority, nice, cpu))],
                               stdout=subprocess.PIPE, env={**os.environ, "PARENT": str(os.getpid())})
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_hello_and_proof(agent):
    hello = agent.begin()
    assert hello.abi == 1 and hello.agent_generation and hello.kernel == os.uname().release
    assert hello.policies == [("pvschedd", 1), ("urgent-only", 1)]
    assert hello.unavailable & 9 == 9  # NMI, preemption
    assert sorted(hello.cpus) == sorted(range(os.cpu_count()))
    for cpu, (apic_id, address) in hello.cpus.items():
        assert agent.pages.get(cpu, "generation_echo") == 7 and agent.pages.get(cpu, "nonce") == 1007
        assert agent.pages.get(cpu, "cpu_index") == cpu and agent.pages.get(cpu, "apic_id") == apic_id
        assert address % 4096 == 0 and address == agent.pages.address(cpu)
    agent.host.challenge(9, 99)  # the host begins anew: a reset, a restart of its daemon
    for cpu in hello.cpus:
        assert agent.pages.get(cpu, "generation_echo") == 9 and agent.pages.get(cpu, "nonce") == 99


def test_words_say_what_runs(agent):
    hello = agent.begin()
    cpu = max(hello.cpus)
    pages = agent.pages
    wait_until(lambda: pages.get(cpu, "agent_generation") == hello.agent_generation, "nothing was seen of the CPU")
    for policy, priority, nice, tuple_ in ((FIFO, 7, 0, 0x070001), (RR, 3, 0, 0x030002), (0, 0, 7, 0x000700),
                                           (os.SCHED_BATCH, 0, 0, 0x000003)):
        with spinner(policy, priority, nice, cpu):
            wait_until(lambda: pages.get(cpu, "task_intent") & 0xffffff == tuple_, f"{tuple_:#x} was not seen")  # pylint: disable=cell-var-from-loop
    with spinner(FIFO, 7, 0, cpu):  # one that goes on: its word stays, and signs of life come
        wait_until(lambda: pages.get(cpu, "task_intent") == 0x070001, "the task was not seen")
        first = pages.get(cpu, "pulse")
        wait_until(lambda: pages.get(cpu, "pulse") > first + 10 and pages.get(cpu, "task_intent") == 0x070001,
                   "the CPU gives no sign of life")
    sections = 0
    until = time.monotonic() + 20
    while sections & 6 != 6 and time.monotonic() < until:
        sections |= pages.get(cpu, "cs_state")
    assert sections == 6, "an interrupt and a soft interrupt"
    report = agent.status()
    assert report["tracer"]["attached"] and report["tracer"]["hints_total"] > 0
    assert report["tracer"]["sections_unavailable"] == ["nmi", "preempt"]


def test_status_agrees_with_the_host(agent):
    hello = agent.begin()
    agent.host.tell(7, sorted(hello.cpus), applied_state=1 << 40, boosts=3, throttles=2, run_delay_ns=5000000, host_cpu=11,
                    host_flags=6)
    wait_until(lambda: agent.status()["channel"]["states"] == 2, "the host's line did not arrive")
    report = agent.status()
    channel = report["channel"]
    assert channel["served"] and channel["policy"] == {"name": "pvschedd", "version": 1}
    assert channel["pages_found"] == len(hello.cpus)
    for cpu in report["cpus"]:
        assert (cpu["boosted"], cpu["armed"], cpu["avoid"]) == (True, True, True)
        assert (cpu["boosts"], cpu["throttles"], cpu["host_cpu"], cpu["run_delay_ns"]) == \
            (3, 2, 11, 5000000)
        assert int(cpu["address"], 16) == hello.cpus[cpu["cpu"]][1] and cpu["apic_id"] == hello.cpus[cpu["cpu"]][0]
    assert "served since" in agent.table() and "armed" in agent.table()
    agent.host.answer(7, 0, refusal=NO_DOMAIN)
    wait_until(lambda: not agent.status()["channel"]["served"], "the refusal did not arrive")
    report = agent.status()
    assert report["channel"]["refusal"] == "no-domain" and not report["tracer"]["attached"]
    assert agent.pages.get(0, "generation_echo") == 0
    assert "knows no machine" in agent.table()


def test_a_lost_channel_leaves_nothing(agent):
    hello = agent.begin()
    pages = agent.pages
    wait_until(lambda: pages.get(0, "agent_generation"), "nothing was seen of the CPU")
    agent.host.hang_up()
    again = agent.host.accept()
    for cpu in hello.cpus:
        assert [pages.get(cpu, word) for word in ("generation_echo", "agent_generation", "nonce", "request")] == [0] * 4
        assert pages.get(cpu, "task_intent") == 0 and pages.get(cpu, "cs_state") == 0
    assert again.cpus == hello.cpus and again.agent_generation == hello.agent_generation
    agent.host.serve(again, 8)
    wait_until(lambda: agent.status()["channel"]["served"], "it is not served again")
    agent.host.send(b"\x5a" * 64)  # no frame
    assert agent.host.ended()
    agent.host.serve(agent.host.accept(), 9)
    assert agent.end() == 0
    assert agent.host.ended()


def test_killed(agent):
    hello = agent.begin()
    agent.end(signal.SIGKILL)
    assert agent.host.ended()
    second = agent.begin(8)  # in its place, at the same socket
    assert second.agent_generation != hello.agent_generation
    assert agent.status()["channel"]["connects"] == 1


def test_no_channel(agent):
    agent.host.close()
    os.unlink(agent.path)
    agent.start()
    assert agent.process.wait(20) == 3
    assert "no channel to the host" in agent.log()
    agent.start("--wait")
    wait_until(lambda: os.path.exists(agent.socket), "it does not wait")
    wait_until(lambda: agent.status()["channel"]["failed_tries"] >= 2, "it does not try again")
    agent.host = Host(agent.path)
    agent.host.serve(agent.host.accept())
    wait_until(lambda: agent.status()["channel"]["served"], "it is not served")


def test_configuration(agent, tmp_path):
    file = tmp_path / "agent.json"
    file.write_text('{"hints": {"task": true}}', encoding="utf-8")
    agent.start("--config", str(file))
    assert agent.process.wait(20) == 1
    assert f"{file}:1: .hints" in agent.log()
    file.write_text('{"hints": {"interrupts": false}, "policies": ["urgent-only"]}', encoding="utf-8")
    agent.start("--wait", "--config", str(file))
    hello = agent.host.accept()
    assert hello.policies == [("urgent-only", 1)] and hello.unavailable == 15


def test_it_does_not_step_aside_without_systemd(agent, tmp_path):
    if os.path.exists("/run/systemd/system"):
        pytest.skip("systemd runs this machine, whose tasks stay where they are")
    file = tmp_path / "agent.json"
    file.write_text('{"step_aside": "auto"}', encoding="utf-8")
    agent.start("--wait", "--config", str(file))
    hello = agent.host.accept()
    agent.host.serve(hello)
    wait_until(lambda: agent.status()["step_aside"]["by"] == "host", "the host is not heard")
    last = max(hello.cpus)
    agent.host.tell(7, [last], host_flags=2)
    wait_until(lambda: agent.status()["step_aside"]["state"] == "refused", "the hint did not arrive")
    report = agent.status()["step_aside"]
    assert (report["wanted"], report["cpus"], report["reason"]) == ([last], [], "no-systemd")
    assert "systemd does not run this machine (no-systemd)" in agent.table()
    assert "does not step aside" in agent.log()
    agent.host.hang_up()
    wait_until(lambda: agent.status()["step_aside"]["by"] == "steal", "it does not go by steal time")
    assert agent.status()["step_aside"]["wanted"] == []


def test_an_idle_agent_is_not_woken(agent):
    agent.begin()
    wait_until(lambda: agent.pages.get(0, "agent_generation"), "nothing was seen of the CPU")
    assert agent.host.is_quiet(1)

    def switches():
        with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

    before = switches()
    assert agent.host.is_quiet(3)
    # At most the last look at a CPU that had not switched until then.
    assert switches() - before <= 3


class Program:
    """A program with libpvsched, in this process."""

    def __init__(self, build_dir, socket):
        self._lib = ctypes.CDLL(f"{build_dir}/src/lib/libpvsched.so.1")
        self._lib.pvsched_close.restype = ctypes.c_void_p
        self._host = ctypes.c_void_p()
        self._lease = ctypes.create_string_buffer(256)
        self.opened = self._lib.pvsched_open(socket.encode(), ctypes.byref(self._host))

    def request(self, policy, priority):
        return self._lib.pvsched_lease_request(self._host, self._lease, policy, priority)

    def release(self, us):
        return self._lib.pvsched_lease_release(self._host, self._lease, us)

    def state(self, cpu):
        return self._lib.pvsched_negotiated(self._host, cpu)

    def close(self):
        self._lib.pvsched_close(self._host)


@pytest.fixture
def on_cpu():
    before = os.sched_getaffinity(0)
    cpu = min(before)
    os.sched_setaffinity(0, {cpu})
    yield cpu
    os.sched_setaffinity(0, before)


def test_programs(agent, build_dir, on_cpu):
    agent.begin()
    wait_until(lambda: agent.status()["channel"]["served"], "it is not served")
    first, second = (Program(build_dir, agent.socket) for _ in range(2))
    assert first.opened == second.opened == 0
    wait_until(lambda: first.state(on_cpu) == 5, "the host's answer does not reach the program")
    pages = agent.pages
    assert first.request(FIFO, 80) == 0 and second.request(RR, 20) == 0
    wait_until(lambda: pages.get(on_cpu, "request") & 0xffffff == 0x500001, "the request did not arrive")
    assert first.release(5000) == 0
    wait_until(lambda: pages.get(on_cpu, "request") & 0xffffff == 0x140001, "the other one's is urgent still")
    assert second.release(0) == 0
    wait_until(lambda: pages.get(on_cpu, "request") & 0xffffff == 0, "the release did not arrive")
    assert 0 < pages.get(on_cpu, "expect") & 0xffffffff <= 5000
    assert second.request(FIFO, 5) == 0
    report = agent.status()["applications"]
    assert [c["pid"] for c in report["connections"]] == [os.getpid()] * 2
    second.close()  # as if it had died
    wait_until(lambda: pages.get(on_cpu, "request") & 0xff != 1, "the request outlived its program")
    # the agent is killed: the program finds the next one
    agent.end(signal.SIGKILL)
    agent.begin(8)
    wait_until(lambda: first.request(FIFO, 9) == 0 and agent.pages.get(on_cpu, "request") & 0xffffff == 0x090001,
               "the program did not find the next agent")
    first.close()


def test_a_lease_ends(agent, build_dir, on_cpu):
    agent.begin()
    wait_until(lambda: agent.status()["channel"]["served"], "it is not served")
    program = Program(build_dir, agent.socket)
    assert program.request(FIFO, 80) == 0
    wait_until(lambda: agent.pages.get(on_cpu, "request"), "the request did not arrive")
    wait_until(lambda: agent.pages.get(on_cpu, "request") == 0, "the request outlives its lease")
    program.close()


@contextlib.contextmanager
def kept_cpusets():
    """cgroup v1 takes a CPU that goes out of each set below the root, and does not give it back."""
    with open("/proc/mounts", encoding="utf-8") as file:
        roots = [where for _, where, kind, options, *_ in map(str.split, file) if kind == "cgroup" and "cpuset" in options.split(",")]
    before = {}
    for root in roots:
        for directory, _, names in os.walk(root):  # parents first
            if "cpuset.cpus" in names:
                with open(f"{directory}/cpuset.cpus", encoding="ascii") as file:
                    before[f"{directory}/cpuset.cpus"] = file.read()
    try:
        yield
    finally:
        for path, cpus in before.items():
            with contextlib.suppress(FileNotFoundError), open(path, "r+", encoding="ascii") as file:
                if file.read() != cpus:
                    file.seek(0)
                    file.write(cpus)


def test_cpus_come_and_go(agent):
    switch = f"/sys/devices/system/cpu/cpu{os.cpu_count() - 1}/online"
    if os.cpu_count() < 2 or not os.access(switch, os.W_OK):
        pytest.skip("no CPU of this machine can be taken away")
    cpu = os.cpu_count() - 1
    hello = agent.begin()
    pages = agent.pages
    wait_until(lambda: pages.get(cpu, "agent_generation"), "nothing was seen of the CPU")

    def set_online(value):
        with open(switch, "w", encoding="ascii") as file:
            file.write(value)

    with kept_cpusets():
        try:
            set_online("0")
            # the kernel tells of more than one step; the last hello counts
            wait_until(lambda: cpu not in agent.host.hello().cpus, "no hello without the CPU")
            assert pages.get(cpu, "agent_generation") == 0
        finally:
            set_online("1")
    wait_until(lambda: agent.host.hello().cpus == hello.cpus, "no hello with the CPU")
    assert agent.status()["cpus"][cpu]["online"]
