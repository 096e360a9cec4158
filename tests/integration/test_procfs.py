# SPDX-License-Identifier: GPL-2.0-or-later
"""Discovery without libvirt: QEMU processes found by /proc, boosted, given back."""

import json
import os
import re
import shutil
import socket
import time

import pytest

import attributes
from bare import QEMU
from rig import proc


def config(*discovery, **host):
    """What is found of others is observed only; the shares of several fit into one RT budget."""
    return {"default_profile": "observe", "profiles": {"latency": {"share_permille": 50}},
            "domains": {"glob": {"pvsched-bare*": {"profile": "latency"}, "pvsched-it*": {"profile": "latency"}}},
            "host": {"discovery": list(discovery), **host}}


PROCFS = config("procfs")
BOTH = config("libvirt", "procfs")


def listed(daemon, pid):
    """What `list` and `show` say of the domain of a process; [] while none is known."""
    found = []
    for domain in daemon.ctl_json("list")["domains"]:
        shown = daemon.ctl_json("show", domain["uuid"])["domain"]
        if shown["pid"] == pid:
            found.append({**domain, **shown})
    return found


def sources(daemon):
    """The counts of what `status` says of procfs; others' QEMUs are among them."""
    detail = daemon.status()["sources"]["procfs"]["detail"]
    words = {"found": r"QEMU processes: (\d+)", "left": r"(\d+) left to libvirt", "ignored": r"(\d+) ignored"}
    found = {name: re.search(pattern, detail) for name, pattern in words.items()}
    return {name: int(match[1]) if match else 0 for name, match in found.items()}


def wait_listed(daemon, pid, accept=lambda domain: domain["vcpus"]):
    def look():
        found = listed(daemon, pid)
        return found[0] if len(found) == 1 and accept(found[0]) else None

    try:
        return proc.wait_for(look, 15, f"process {pid} to be listed")
    except proc.RigError as error:
        raise proc.RigError(f"{error}; listed {listed(daemon, pid)}; {daemon.log()[-2000:]}") from None


@pytest.mark.sanitized
def test_found_boosted_given_back(scene):
    """Before the daemon or after it, with a name and a uuid of its own; killed while boosted."""
    old = scene.bare("pvsched-bare-old", vcpus=2)
    daemon = scene.daemon(config=PROCFS)
    domain = wait_listed(daemon, old.pid)
    assert (domain["name"], domain["uuid"], domain["discovered_by"]) == (old.name, old.uuid, "procfs")
    assert [vcpu["tid"] for vcpu in domain["vcpus"]] == old.tids() and domain["state"] == "running"
    daemon.wait_boosted(old)  # its second vCPU waits for ever to be started by the guest
    new = scene.bare("pvsched-bare-new")
    daemon.wait_boosted(new, seconds=20)
    daemon.ctl("release", old.name)
    proc.wait_for(lambda: not any(attributes.boosted(tid) for tid in old.tids()), 5, "the release")
    daemon.wait_boosted(new)
    new.kill()
    proc.wait_for(lambda: new.name not in daemon.names(), 5, "the end to be noticed")
    daemon.ctl("policy", "set", old.name, "latency")
    daemon.wait_boosted(old)
    daemon.stop()
    scene.assert_pristine()


def test_at_once(scene, figures):
    """With the proc connector a new QEMU is known as soon as its threads have their names."""
    daemon = scene.daemon(config=PROCFS)
    if not daemon.status()["sources"]["proc_connector"]["ok"]:
        pytest.skip("there is no proc connector here")
    qemu = scene.bare(wait=False)
    proc.wait_for(qemu.tids, 15, "QEMU's vCPU threads", step=0.001)
    begin = time.monotonic()
    proc.wait_for(lambda: daemon.vcpu(qemu), 15, "the vCPU to be known", step=0.001)
    figures.setdefault("bare QEMU: named to listed, ms", []).append((time.monotonic() - begin) * 1000)


def test_without_proc_connector(scene):
    """There is none in another network namespace: new QEMUs and their new vCPUs are looked for."""
    daemon = scene.daemon(config=PROCFS, prefix=["unshare", "--net"])
    assert not daemon.status()["sources"]["proc_connector"]["ok"]
    qemu = scene.bare(max_vcpus=2)
    daemon.wait_boosted(qemu)
    hotplug(qemu)
    daemon.wait_known(qemu, index=1)
    qemu.kill()
    proc.wait_for(lambda: qemu.name not in daemon.names(), 5, "the end to be noticed")


def test_names(scene):
    """The name it was given, the uuid of the SMBIOS, or one that is made up for a process that has none."""
    uuid = "6c34795f-f1f3-4451-b711-d6beefbb3011"
    named = scene.bare("pvsched-bare-uuid", arguments=["-name", "debug-threads=on", "-smbios", f"type=1,uuid={uuid}"])
    nameless = scene.bare("pvsched-bare-none", arguments=["-name", "debug-threads=on"])
    unnamed_threads = scene.bare("pvsched-bare-threads", arguments=["-name", "threads"])
    plain = scene.bare("pvsched-bare-plain", arguments=["-name", "web,debug-threads=on"])
    daemon = scene.daemon(config=PROCFS)
    domain = wait_listed(daemon, named.pid)
    assert (domain["name"], domain["uuid"]) == (uuid, uuid)
    domain = wait_listed(daemon, nameless.pid)
    assert domain["name"] == f"qemu-{nameless.pid}"
    derived = domain["uuid"]
    assert wait_listed(daemon, plain.pid)["name"] == "web"
    wait_listed(daemon, unnamed_threads.pid, lambda domain: True)
    checks = {check["name"]: check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]}
    assert "debug-threads=on" in checks["domain threads"]["fix"]
    assert checks["procfs"]["status"] == "ok"
    daemon.stop()
    daemon.start()
    assert wait_listed(daemon, nameless.pid)["uuid"] == derived


def test_one_name_for_two(scene):
    """A name that two QEMUs have is refused, with both uuids; a uuid that was made up is not kept."""
    arguments = ["-name", "guest=pvsched-bare-twin,debug-threads=on"]
    twins = [scene.bare(f"pvsched-bare-twin-{i}", arguments=arguments) for i in range(2)]
    daemon = scene.daemon(config=PROCFS)
    uuids = [wait_listed(daemon, twin.pid)["uuid"] for twin in twins]
    done = daemon.call("policy", "set", "pvsched-bare-twin", "observe")
    assert done.returncode == 1 and all(uuid in done.stderr for uuid in uuids), done.stderr
    assert [listed(daemon, twin.pid)[0]["profile"] for twin in twins] == ["latency", "latency"]
    assert daemon.call("policy", "set", uuids[0], "observe").returncode == 0
    assert [listed(daemon, twin.pid)[0]["profile"] for twin in twins] == ["observe", "latency"]
    done = daemon.call("policy", "set", uuids[0], "observe", "--persist")
    assert done.returncode == 1 and "made up for this process alone" in done.stderr
    assert not os.path.exists(f"{daemon.state_dir}/policies.json")


def test_no_machine(scene):
    """libvirt asks such a QEMU what it can do. It is no VM, and doctor gives no advice about it."""
    asked = scene.bare("pvsched-bare-asked", arguments=["-name", "debug-threads=on", "-S"], machine="none")
    qemu = scene.bare()
    proc.wait_for(lambda: time.monotonic() > asked.started + 4, 10, "it to be as old as those that are shown")
    daemon = scene.daemon(config=PROCFS)
    daemon.wait_boosted(qemu)
    assert listed(daemon, asked.pid) == []
    assert not [check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]
                if str(asked.pid) in check["detail"]]


def test_more_vcpus_than_the_last_smp_names(scene):
    """A later -smp overrides what it names: the vCPU that is plugged in is one that was allowed."""
    qemu = scene.bare(max_vcpus=2, more=["-smp", "cpus=0x1"])
    daemon = scene.daemon(config=PROCFS)
    daemon.wait_boosted(qemu)
    hotplug(qemu)
    daemon.wait_vcpu(qemu, lambda vcpu: vcpu["reason"] != "unproven", "the second vCPU to be proven", index=1)


def test_real_kvm(scene):
    """With KVM the executable may be any: its descriptors prove what it is."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"no KVM: {error}")
    emulated = scene.bare("pvsched-bare-tcg")
    try:
        qemu = scene.bare("pvsched-bare-kvm", vcpus=2, max_vcpus=3, accel="kvm")
    except proc.RigError as error:
        pytest.skip(f"QEMU cannot use KVM here: {error}")
    daemon = scene.daemon(config=config("procfs", qemu_executables=["/nonexistent/qemu"]))
    wait_listed(daemon, qemu.pid, lambda domain: len(domain["vcpus"]) == 2)
    assert [daemon.vcpu(qemu, index)["reason"] for index in range(2)] == ["awake", "awake"]  # not "unproven"
    assert listed(daemon, emulated.pid) == []


def qmp(qemu, execute, **arguments):
    """What an administrator's own tool does; pvschedd never speaks to that socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(qemu.qmp)
        stream = connection.makefile("rw", encoding="utf-8")
        stream.readline()
        for command in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
            stream.write(json.dumps(command) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
            assert "return" in answer, answer


def hotplug(qemu):
    qmp(qemu, "device_add", **{"driver": "qemu64-x86_64-cpu", "id": "cpu1", "socket-id": 0, "core-id": 1,
                               "thread-id": 0})


def test_iothreads_are_watched(scene):
    """Those there at the start, and those that come; none of a domain that is not boosted."""
    def watched(*names):
        threads = proc.threads(qemu.pid)
        assert set(names) <= set(threads.values()), threads
        expected = {tid for tid, comm in threads.items() if comm.startswith("IO ") or tid == qemu.pid}
        return lambda domain: {helper["tid"] for helper in domain["helpers"] if helper["watched"]} == expected

    qemu = scene.bare(arguments=["-name", "guest=pvsched-bare,debug-threads=on", "-object", "iothread,id=first"])
    daemon = scene.daemon(config=PROCFS)
    daemon.wait_boosted(qemu)
    wait_listed(daemon, qemu.pid, watched("IO first"))
    qmp(qemu, "object-add", **{"qom-type": "iothread", "id": "second"})
    wait_listed(daemon, qemu.pid, watched("IO first", "IO second"))
    daemon.call("policy", "set", qemu.name, "observe")
    assert not any(helper["watched"] for helper in listed(daemon, qemu.pid)[0]["helpers"])


def test_hotplug(scene):
    qemu = scene.bare(max_vcpus=2)
    daemon = scene.daemon(config=PROCFS)
    daemon.wait_boosted(qemu)
    hotplug(qemu)
    daemon.wait_known(qemu, index=1)
    assert len(qemu.tids()) == 2
    assert daemon.vcpu(qemu, 1)["tid"] == qemu.tids()[1]


def test_beside_libvirt(scene):
    """A QEMU of libvirt's is listed once, as libvirt's, whichever source sees it first."""
    theirs = scene.domain()
    bare = scene.bare()
    daemon = scene.daemon(config=BOTH)
    daemon.wait_boosted(theirs)
    daemon.wait_boosted(bare)
    late = scene.domain("pvsched-it-late")
    daemon.wait_boosted(late)
    for domain, source in ((theirs, "libvirt"), (late, "libvirt"), (bare, "procfs")):
        assert [found["discovered_by"] for found in listed(daemon, domain.pid)] == [source]
    assert sources(daemon)["left"] >= 1
    # the other way round: /proc has them all, and libvirt nothing
    daemon.rewrite(config("procfs", "libvirt"))
    daemon.ctl("reload")
    for domain in (theirs, late, bare):
        daemon.wait_boosted(domain)
        proc.wait_for(lambda d=domain: [found["discovered_by"] for found in listed(daemon, d.pid)] == ["procfs"], 10,
                      f"{domain.name} to be found by /proc")
    # and without /proc
    daemon.rewrite(config("libvirt"))
    daemon.ctl("reload")
    proc.wait_for(lambda: {theirs.name, late.name} <= daemon.names() and bare.name not in daemon.names(), 10,
                  "only libvirt's")
    assert not attributes.boosted(bare.tid) and "procfs" not in daemon.status()["sources"]
    daemon.stop()
    scene.assert_pristine()


def test_claimed_uuid(scene):
    """A process that claims a domain's uuid takes nothing from it."""
    theirs = scene.domain()
    daemon = scene.daemon(config=BOTH)
    daemon.wait_boosted(theirs)
    before = sources(daemon)["found"]
    liar = scene.bare("pvsched-bare-liar", arguments=["-name", f"guest={theirs.name},debug-threads=on",
                                                      "-uuid", theirs.uuid])
    honest = scene.bare()
    daemon.wait_boosted(honest)
    proc.wait_for(lambda: sources(daemon)["found"] >= before + 2, 10, "both to be seen")
    assert listed(daemon, liar.pid) == []
    assert [found["discovered_by"] for found in listed(daemon, theirs.pid)] == ["libvirt"]


def test_other_users(scene):
    """Any user can start a QEMU, with any code inside and any name: only those of trusted users count."""
    qemu = scene.bare("pvsched-bare-nobody", prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
                      arguments=["-name", "guest=pvsched-bare-nobody,debug-threads=on"])
    daemon = scene.daemon(config=PROCFS)

    def ignored():
        return sources(daemon)["ignored"] >= 1

    proc.wait_for(ignored, 10, "it to be ignored")
    assert listed(daemon, qemu.pid) == []
    daemon.rewrite(config("procfs", qemu_users=["root", "65534"]))
    daemon.ctl("reload")
    daemon.wait_boosted(qemu)


def with_capabilities(*names):
    """With these capabilities, as the service has them, and no others."""
    kept = ",".join(["-all", *(f"+{name}" for name in ("sys_nice", "bpf", "perfmon", "net_admin", *names))])
    return ["setpriv", f"--bounding-set={kept}", "--inh-caps=-all"]


def test_capabilities(scene):
    """The service as shipped may not look, and says so; with its drop-in it may."""
    qemu = scene.bare()
    daemon = scene.daemon(config=PROCFS, prefix=with_capabilities())
    proc.wait_for(lambda: "that needs CAP_SYS_PTRACE" in daemon.status()["sources"]["procfs"]["detail"], 10, "the word")
    checks = {check["name"]: check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]}
    assert checks["procfs"]["status"] == "warn" and "guest-pages.conf" in checks["procfs"]["fix"]
    assert listed(daemon, qemu.pid) == []
    daemon.stop()
    daemon = scene.daemon(config=PROCFS, prefix=with_capabilities("sys_ptrace", "dac_read_search"))
    wait_listed(daemon, qemu.pid)


def test_another_executable(scene, tmp_path):
    """One that is upgraded while it runs is still what it was."""
    binary = f"{tmp_path}/qemu-mine"
    shutil.copy(QEMU, binary)
    qemu = scene.bare(binary=binary)
    assert os.readlink(f"/proc/{qemu.pid}/exe") == binary
    os.unlink(binary)
    daemon = scene.daemon(config=config("procfs", qemu_executables=[f"{tmp_path}/qemu-*"]))
    daemon.wait_boosted(qemu)
