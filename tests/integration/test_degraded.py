# SPDX-License-Identifier: GPL-2.0-or-later
"""Less than it needs, and no systemd: the daemon runs, says what is missing, and observes."""

import json
import os
import re
import resource
import select
import signal
import socket

import pytest

import attributes
from rig import proc
from rig.libvirtd import virsh


REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The proc connector answers in the first network namespace only; newer kernels do not ask for CAP_NET_ADMIN.
NO_CONNECTOR = ["unshare", "--net"]


def without(*capabilities):
    """A command prefix that takes capabilities away for good."""
    drop = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}"]


def test_no_more_than_the_unit_gives(scene):
    """The capabilities of the unit as shipped are enough for all of the tracer, on whatever kernel runs here."""
    with open(f"{REPOSITORY}/systemd/pvschedd.service.in", encoding="utf-8") as file:
        given = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M)[1].split()
    kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in given)
    domain = scene.domain()
    daemon = scene.daemon(prefix=["setpriv", f"--bounding-set=-all,{kept}", f"--inh-caps=-all,{kept}"])
    daemon.wait_boosted(domain)
    refused = [part for part in daemon.status()["tracer_parts"] if not part["ok"]]
    assert refused == []


def test_no_bpf(scene):
    domain = scene.domain()
    daemon = scene.daemon(prefix=without("sys_admin", "bpf", "perfmon"))
    vcpu = daemon.wait_known(domain)
    assert vcpu["reason"] == "no-tracer"
    asked = daemon.call("status")
    assert asked.returncode == 1 and "the kernel refused the tracer" in asked.stderr
    assert len(re.findall(r"no tracer: .*CAP_BPF", daemon.log())) == 1
    source = daemon.status()["sources"]["bpf"]
    assert source["ok"] is False and "CAP_BPF" in source["detail"]
    check = next(check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]
                 if check["name"] == "tracer")
    assert check["status"] == "fail" and "CAP_BPF" in check["detail"] + check["fix"]
    scene.assert_given_back()


def test_no_proc_connector(scene):
    domain = scene.domain()
    daemon = scene.daemon(prefix=NO_CONNECTOR)
    daemon.wait_boosted(domain)
    source = daemon.status()["sources"]["proc_connector"]
    assert source["ok"] is False and source["detail"]


def test_no_proc_connector_and_hotplug(scene):
    domain = scene.domain(max_vcpus=2)
    daemon = scene.daemon(profile="observe", prefix=NO_CONNECTOR)
    daemon.wait_known(domain)
    virsh("setvcpus", domain.uuid, "2", "--live")
    proc.wait_for(lambda: daemon.vcpu(domain, 1), 1.5, "the new vCPU to be noticed by the rescan")


def test_no_sys_nice(scene):
    """No real-time class for guardian and booster: nothing is boosted."""
    domain = scene.domain()
    daemon = scene.daemon(prefix=without("sys_nice"))
    daemon.wait_vcpu(domain, lambda v: v["state"] == "unboosted" and v["reason"] in ("guardian", "failed"),
                     "the missing guardian to be the reason")
    done = daemon.call("doctor", "--json")
    assert done.returncode == 1
    assert any(check["status"] == "fail" and "CAP_SYS_NICE" in check["fix"] + check["detail"]
               for check in json.loads(done.stdout)["checks"])
    scene.assert_given_back()


@pytest.fixture
def notify_socket(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        yield listener, path


def messages(listener, seconds, wanted, times=1):
    """Reads messages until WANTED came TIMES times; all of them."""
    seen = []
    while sum(wanted in message.split("\n") for message in seen) < times:
        if not select.select([listener], [], [], seconds)[0]:
            raise AssertionError(f"no {wanted} within {seconds} s; came: {seen}")
        seen.append(listener.recv(4096).decode())
    return seen


def test_ready_and_watchdog(scene, notify_socket):
    listener, path = notify_socket
    domain = scene.domain()
    daemon = scene.daemon(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
    assert "READY=1" in messages(listener, 5, "READY=1")[-1].split("\n")
    daemon.wait_boosted(domain)
    messages(listener, 2, "WATCHDOG=1", times=4)
    # stopped it says nothing; systemd would end it
    daemon.kill(signal.SIGSTOP)
    while select.select([listener], [], [], 0)[0]:
        listener.recv(4096)
    assert not select.select([listener], [], [], 1)[0]
    daemon.kill(signal.SIGCONT)
    messages(listener, 2, "WATCHDOG=1")
    daemon.kill(signal.SIGHUP)
    seen = messages(listener, 5, "READY=1")
    assert any("RELOADING=1" in message for message in seen)
    daemon.kill(signal.SIGTERM)
    messages(listener, 10, "STOPPING=1")
    assert daemon.reap() == 0


def test_few_descriptors(scene):
    """EMFILE: the daemon goes on and boosts none that is new. When there are descriptors again, all are boosted."""
    first, daemon = scene.boosted(name="pvsched-it-first")
    pid, unlimited = daemon.process.pid, resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), unlimited[1]))
    others = [scene.domain(f"pvsched-it-{n}") for n in range(3)]
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(f"{daemon.runtime_dir}/control.sock")
        client.sendall(b'{"verb":"list"}\n')
        daemon.wait_log("cannot accept a connection: Too many open files")
        assert not any(attributes.boosted(domain.tid) for domain in others)
        assert daemon.process.poll() is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, unlimited)
        assert client.recv(65536).startswith(b'{"ok":true')
    daemon.ctl("reload")
    for domain in (first, *others):
        daemon.wait_boosted(domain)
    assert daemon.status()["guardian_acts"] == 0


def test_state_directory_is_made(scene):
    domain = scene.domain()
    daemon = scene.daemon(start=False)
    os.rmdir(daemon.state_dir)
    daemon.start()
    daemon.wait_boosted(domain)
