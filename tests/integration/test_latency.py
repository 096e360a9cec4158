# SPDX-License-Identifier: GPL-2.0-or-later
"""latency: what ran instead of a real vCPU is named; the tracer looks for as long as a client asks, and no longer."""

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from rig import proc
from rig.daemon import program

CPU = max(os.sched_getaffinity(0))
PIN = f"<cputune><vcpupin vcpu='0' cpuset='{CPU}'/></cputune>"
NAME = "hog\033[2J<&\n"  # any bytes may be a thread's name
SHOWN = "hog\\x1b[2J<&\\x0a"
GROUP = "/pvsched-it-hogs"
HOG = "import sys\nopen('/proc/self/comm', 'w').write(sys.argv[1])\nwhile True: pass"


@pytest.fixture
def hogs(deadman):
    """begin(): three threads in a cgroup of their own, which want the vCPU's CPU for themselves."""
    group = proc.cpu_cgroup(os.getpid())[0] + GROUP
    made = []

    def begin():
        os.makedirs(group, exist_ok=True)
        deadman.add(argv=["rmdir", group])
        for _ in range(3):
            made.append(subprocess.Popen([sys.executable, "-S", "-c", HOG, NAME]))
            deadman.add(pid=made[-1].pid)
            os.sched_setaffinity(made[-1].pid, {CPU})
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(made[-1].pid))
        return [hog.pid for hog in made]
    yield begin
    for hog in made:
        hog.kill()
        hog.wait()

    def is_removed():
        try:
            os.rmdir(group)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
    if made:
        proc.wait_for(is_removed, 10, f"{group} to be empty")


@pytest.fixture
def clients():
    """begin(daemon, *words): a pvschedctl that runs on."""
    made = []

    def begin(daemon, *words):
        made.append(subprocess.Popen([program(daemon.build_dir, "pvschedctl"), *daemon.options(), *words],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return made[-1]
    yield begin
    for client in made:
        client.kill()
        client.communicate()


def traced(daemon):
    return daemon.status()["events"]["waits_traced"]


def wait_traced(daemon, n, seconds=20):
    proc.wait_for(lambda: traced(daemon) == n, seconds, f"the waits of {n} vCPUs to be traced")


def ask(daemon, domain, accept, what, *words, seconds=90):
    """Until an answer is accepted; the answer."""
    last = {}

    def look():
        last["answer"] = daemon.ctl_json("latency", domain.uuid, "--for", "500ms", *words)
        return last["answer"] if accept(last["answer"]) else None
    try:
        return proc.wait_for(look, seconds, what)
    except proc.RigError as error:
        raise proc.RigError(f"{error}; last: {json.dumps(last.get('answer'))}") from None


def top(answer):
    return answer["blockers"].get("top", [])


def test_hogs_are_named(scene, hogs):
    pids = hogs()
    domain = scene.domain(hz=200, work=65535, tuning=PIN)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    assert traced(daemon) == 0
    answer = ask(daemon, domain, lambda a: any(one["comm"] == NAME for one in top(a)), "the hogs to be named")
    hog = next(one for one in top(answer) if one["comm"] == NAME)
    assert hog["cgroup"] == GROUP and hog["tid"] in pids and "domain" not in hog
    assert hog["us"] > 0 and hog["runs"] > 0 and not hog["idle"]
    # the tracer goes on while it is read: a wait may be in the one figure and not in the other yet
    assert len(top(answer)) <= 10 and answer["blockers"]["waits"] > 0 and answer["blockers"]["traced_ms"] >= 500
    text = daemon.call("latency", domain.name, "--vcpu", "0", "--for", "500ms")
    assert text.returncode == 0, text.stderr
    assert SHOWN in text.stdout and f"{domain.name}, vCPU 0 (observe)" in text.stdout and "\033" not in text.stdout
    # where the width of the terminal is not known, the names of cgroups are whole
    assert max(map(len, text.stdout.partition("What ran instead")[0].splitlines())) <= 80

    # beside the time before another policy
    assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
    answer = ask(daemon, domain, lambda a: a["windows"].get("now", {}).get("histogram"), "waits in the last seconds")
    before = answer["windows"]["before"]
    assert before["profile"] == "observe"
    for window in answer["windows"].values():
        assert sum(bucket["count"] for bucket in window["histogram"]) == window["wait_us"]["count"]
    assert daemon.call("latency", domain.name, "--vcpu", "1").returncode == 1
    assert daemon.call("latency", "nobody").returncode == 5
    wait_traced(daemon, 0)


def test_another_vm_is_named(scene):
    """Its vCPU is named by its domain: it computes without end on the same CPU."""
    domain = scene.domain("pvsched-it-a", hz=200, work=65535, tuning=PIN)
    other = scene.domain("pvsched-it-b", busy=1, idle=0, tuning=PIN)
    daemon = scene.daemon(profile="observe")
    for one in (domain, other):
        daemon.wait_known(one)
    answer = ask(daemon, domain, lambda a: any(one.get("uuid") == other.uuid for one in top(a)), "the other VM to be named")
    found = next(one for one in top(answer) if one.get("uuid") == other.uuid)
    assert found["domain"] == other.name and found["cgroup"].startswith("/")
    assert f"domain {other.name}" in daemon.call("latency", domain.name, "--for", "500ms").stdout


def test_next_long_wait(scene, hogs, clients):
    pids = hogs()
    domain = scene.domain(hz=200, work=65535, tuning=PIN)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)

    def is_behind_a_hog():
        done = daemon.call("latency", domain.name, "--over", "20us", "--for", "20s", "--json")
        assert done.returncode == 0, done.stderr
        wait = json.loads(done.stdout)
        assert wait["wait_us"] > 20 and wait["vcpu"] == 0 and wait["domain"] == domain.name and wait["cpu"] == CPU
        return wait if any(one.get("tid") in pids for one in wait["behind"]) else None
    wait = proc.wait_for(is_behind_a_hog, 60, "a wait behind a hog")
    hog = next(one for one in wait["behind"] if one["tid"] in pids)
    assert hog["comm"] == NAME and hog["cgroup"] == GROUP and 0 <= hog["us"] <= wait["wait_us"]
    done = daemon.call("latency", domain.name, "--over", "20us", "--for", "20s")
    assert done.returncode == 0 and f"for CPU {CPU}, behind:" in done.stdout and "\033" not in done.stdout

    wait_traced(daemon, 0)
    client = clients(daemon, "latency", domain.name, "--over", "10s")
    wait_traced(daemon, 1)
    client.send_signal(signal.SIGINT)
    assert "no wait was longer than 10.0 s" in client.communicate(timeout=20)[1]
    assert client.returncode == 1


def test_ends_when_the_client_dies(scene, clients):
    domain = scene.domain(vcpus=2)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain, 1)
    assert traced(daemon) == 0
    client = clients(daemon, "latency", domain.name, "--for", "10m")
    wait_traced(daemon, 2)
    client.kill()
    wait_traced(daemon, 0)
    # a domain that ends meanwhile is asked for no longer, and so is one that is not traced
    client = clients(daemon, "latency", domain.name, "--for", "10m")
    wait_traced(daemon, 2)
    scene.forget_domain(domain)
    assert client.wait(20) == 5
    wait_traced(daemon, 0)


def test_what_is_not_traced(scene):
    domain = scene.domain()
    daemon = scene.daemon(profile="off")
    daemon.wait_known(domain)
    done = daemon.call("latency", domain.name, "--for", "100ms")
    assert done.returncode == 0 and "Nothing is known of its waits" in done.stdout
    assert traced(daemon) == 0


def test_drawing(scene, tmp_path):
    domain = scene.domain("pvsched-it a:b", hz=200)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    ask(daemon, domain, lambda a: a["windows"].get("now", {}).get("histogram"), "waits in the last seconds")
    file = tmp_path / "waits.svg"
    done = daemon.call("latency", domain.uuid, "--for", "100ms", "--plot", str(file))
    assert done.returncode == 0, done.stderr
    root = xml.etree.ElementTree.parse(file).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg" and domain.name in root.find(f"{svg}title").text
    assert [line.get("class") for line in root.findall(f"{svg}polyline")] == ["now"]
    link = tmp_path / "link.svg"
    link.symlink_to(file)
    done = daemon.call("latency", domain.uuid, "--for", "100ms", "--plot", str(link))
    assert done.returncode == 1 and "cannot be written" in done.stderr
