# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs of Proxmox: by number, name and tag, with its cgroups; its file system hangs, its VMs end and return."""

import json
import os
import re
import subprocess

import pytest

import attributes
from proxmox import Pve, Vm
from rig import proc

CONFIG = {
    "default_profile": "observe",
    "profiles": {"latency": {"share_permille": 50}},
    "domains": {"vmid": {"9103": {"profile": "latency"}}, "name": {"pbx": {"profile": "latency"}},
                "tag": {"pvsched-latency": {"profile": "latency"}, "pvsched-off": {"profile": "off"}}},
    "host": {"discovery": ["procfs"]},
}


@pytest.fixture
def pve(scene):
    with Pve(scene.deadman) as pve:
        yield pve


@pytest.fixture
def start(scene):
    """start(number, ...): a VM that runs."""
    def start(vmid, **kwargs):
        env = {"LD_PRELOAD": f"{scene.build_dir}/tests/integration/takes-id.so"}
        return scene.bare(vmid, make=Vm, env=env, **kwargs)

    return start


def begin(scene, pve):
    return scene.daemon(config=CONFIG, options=["--pve-dir", pve.directory])


def listed(daemon, vm):
    return next((domain for domain in daemon.ctl_json("list")["domains"] if domain["uuid"] == vm.uuid), {})


def wait_listed(daemon, vm, accept, what):
    try:
        return proc.wait_for(lambda: accept(listed(daemon, vm)), 20, what)
    except proc.RigError as error:
        raise proc.RigError(f"{error}; {listed(daemon, vm)}; {daemon.log()[-2000:]}") from None


@pytest.mark.sanitized
def test_tags(scene, pve, start):
    """A tag chooses the profile; one that changes does so at the next look, which `reload` asks for."""
    pve.write(9101, name="web", tags="pvsched-latency;customer-7")
    vm = start("9101", title="old-name")
    daemon = begin(scene, pve)
    daemon.wait_boosted(vm)
    domain = listed(daemon, vm)
    assert (domain["name"], domain["vmid"], domain["title"]) == ("9101", 9101, "web")
    assert domain["tags"] == ["pvsched-latency", "customer-7"] and domain["profile"] == "latency"
    shown = daemon.ctl("show", "web")  # its name will do in commands
    assert "Domain:  9101\n" in shown and "Title:   web\n" in shown and ".domains.tag.pvsched-latency\n" in shown, shown
    pve.write(9101, name="web", tags="pvsched-off")
    daemon.ctl("reload")
    wait_listed(daemon, vm, lambda domain: domain.get("profile") == "off", "the other tag to be seen")
    proc.wait_for(lambda: not attributes.boosted(vm.tid), 5, "the vCPU to be given back")
    daemon.ctl("policy", "set", "web", "latency")
    daemon.wait_boosted(vm)
    daemon.stop()
    scene.assert_pristine()


def test_numbers_and_names(scene, pve, start):
    """By the number, by the name of the configuration, and without one by that of the command line."""
    pve.write(9102, name="pbx")
    pve.write(9103)
    vms = [start("9102"), start("9103"), start("9104", title="pbx")]
    other = start("9105")
    daemon = begin(scene, pve)
    for vm in vms:
        daemon.wait_boosted(vm)
    assert listed(daemon, vms[1])["title"] == "vm9103"
    assert listed(daemon, other)["profile"] == "observe"
    refused = daemon.call("policy", "set", "pbx", "observe")  # two have that name
    assert refused.returncode == 1 and vms[0].uuid in refused.stderr and vms[2].uuid in refused.stderr, refused.stderr


def test_cpulimit(scene, pve, start):
    """`qm set --cpulimit` is a quota of the VM's scope: what doctor says takes it away, in Proxmox's words."""
    pve.write(9101, tags="pvsched-latency", cpulimit="0.5", affinity="0")
    vm = start("9101", prefix=["taskset", "--cpu-list", "0"])
    version = proc.cpu_cgroup(vm.pid)[2]
    name, value, none = (("cpu.cfs_quota_us", "50000", "-1") if version == 1 else ("cpu.max", "50000 100000", "max"))
    daemon = begin(scene, pve)
    daemon.wait_boosted(vm)

    def limit(text):
        with open(f"{vm.group}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    limit(value)
    daemon.wait_reason(vm, "quota")
    proc.wait_for(lambda: not attributes.boosted(vm.tid), 5, "the vCPU to be given back")
    checks = json.loads(daemon.call("doctor", "--json").stdout)["checks"]
    fixes = [check["fix"] for check in checks if "CFS quota" in check["detail"] and "9101" in check["name"]]
    assert fixes == ["qm set 9101 --delete cpulimit"]
    assert not [check for check in checks if "virsh" in check["fix"]], checks
    limit(none)
    daemon.wait_boosted(vm)


def test_without_libvirts_library(scene, pve, start):
    """It is loaded where libvirt is to be asked. Where there is none the daemon says so, and finds the others."""
    found = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    library = re.search(r"libvirt\.so\.0 .*=> (\S+)", found)[1]
    vm = start("9103")
    hide = ["unshare", "--mount", "sh", "-c", f"mount --bind /dev/null {library} && exec \"$@\"", "sh"]
    daemon = scene.daemon(config={**CONFIG, "host": {"discovery": ["libvirt", "procfs"]}}, prefix=hide,
                          options=["--pve-dir", pve.directory])
    daemon.wait_boosted(vm)
    source = daemon.status()["sources"]["libvirt"]
    assert not source["ok"] and "its library is not installed" in source["detail"], source
    assert "libvirt" not in proc.read(f"/proc/{daemon.process.pid}/maps")


def test_ends_and_returns(scene, pve, start):
    """Hibernated, or stopped for a backup: another QEMU of the same uuid. What was set for it holds."""
    pve.write(9101, name="web")
    vm = start("9101")
    daemon = begin(scene, pve)
    daemon.wait_known(vm)
    daemon.ctl("policy", "set", "9101", "latency", "--persist")
    daemon.wait_boosted(vm)
    vm.kill()
    proc.wait_for(lambda: vm.name not in daemon.names(), 10, "the end to be noticed")
    before = vm.pid
    vm.create()
    assert vm.pid != before
    daemon.wait_boosted(vm)
    daemon.stop()
    scene.assert_pristine()


def test_it_hangs(scene, pve, start):
    """Names and tags stay as they were, new VMs are found, and it is read again once it answers."""
    pve.write(9101, name="web", tags="pvsched-latency")
    pve.write(9102, name="late", tags="pvsched-latency")
    vm = start("9101")
    daemon = begin(scene, pve)
    daemon.wait_boosted(vm)
    try:
        pve.hang()
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")
    daemon.ctl("reload")
    daemon.wait_log("cannot be read within 500 ms")
    proc.wait_for(lambda: "does not answer" in daemon.status()["sources"]["procfs"]["detail"], 10, "status to say so")
    late = start("9102", title="pbx")
    daemon.wait_boosted(late, seconds=20)  # by the name of its command line
    assert listed(daemon, vm)["tags"] == ["pvsched-latency"]
    daemon.wait_boosted(vm)
    pve.answer()

    def read_again():
        daemon.ctl("reload")
        return listed(daemon, late).get("title") == "late"

    proc.wait_for(read_again, 40, "the configurations to be read again")
    assert daemon.status()["sources"]["procfs"]["ok"]
    assert os.path.exists(f"/proc/{vm.pid}")
    daemon.stop()
    scene.assert_pristine()
