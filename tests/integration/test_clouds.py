# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains of clouds: Nova's flavor and display name, libvirt's title; a QEMU in a pod, of a user without a name."""

import json
import os

import pytest

import attributes
from bare import Bare
from rig import proc
from rig.libvirtd import virsh

NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"
CONFIG = {
    "default_profile": "observe",
    "profiles": {"latency": {"share_permille": 50}},
    "domains": {"title": {"pbx*": {"profile": "latency"}}, "flavor": {"rt.*": {"profile": "latency"}, "*": {"profile": "off"}}},
}
# That of QEMU in KubeVirt's pods; here it is some system user's, or nobody's.
QEMU_UID = 107


def shown(daemon, domain):
    return daemon.ctl_json("show", domain.uuid)["domain"]


def wait_profile(daemon, domain, profile, entry):
    """The profile, and the entry that chose it."""
    def look():
        seen = shown(daemon, domain)
        return seen["profile"] == profile and seen["profile_source"].endswith(entry)

    try:
        proc.wait_for(look, 10, f"the profile {profile} by {entry}")
    except proc.RigError as error:
        raise proc.RigError(f"{error}; {shown(daemon, domain)['profile_source']}; {daemon.log()[-1000:]}") from None


@pytest.mark.sanitized
def test_nova_and_titles(scene):
    """As they come and go while the domain runs."""
    domain = scene.domain()
    daemon = scene.daemon(config=CONFIG)
    daemon.wait_known(domain)
    wait_profile(daemon, domain, "observe", ".default_profile")
    virsh("metadata", domain.uuid, NOVA, "--key", "nova", "--live", "--set",
          "<instance><name>pbx of Bob</name><flavor name='m1.small'><memory>64</memory></flavor></instance>")
    wait_profile(daemon, domain, "latency", '.domains.title["pbx*"]')
    daemon.wait_boosted(domain)
    seen = shown(daemon, domain)
    assert (seen["title"], seen["flavor"]) == ("pbx of Bob", "m1.small") and "vmid" not in seen
    virsh("metadata", domain.uuid, NOVA, "--key", "nova", "--live", "--set",
          "<instance><name>web</name><flavor name='rt.small'/></instance>")
    wait_profile(daemon, domain, "latency", '.domains.flavor["rt.*"]')
    virsh("metadata", domain.uuid, NOVA, "--live", "--remove")
    wait_profile(daemon, domain, "observe", ".default_profile")
    proc.wait_for(lambda: not attributes.boosted(domain.tid), 5, "the vCPU to be given back")
    virsh("desc", domain.uuid, "--live", "--title", "pbx")
    wait_profile(daemon, domain, "latency", '.domains.title["pbx*"]')
    assert "TITLE" in daemon.ctl("list")
    daemon.wait_boosted(domain)
    # a title is for entries and for people, and no name in commands
    assert daemon.call("policy", "get", "pbx").returncode == 5


class InPod(Bare):
    """A QEMU as KubeVirt's virt-launcher starts it, in the cgroup of a container of a pod."""

    def __init__(self, name, **kwargs):
        root = proc.cpu_cgroup(os.getpid())[0]
        self.pod = f"{root}/kubepods/burstable/pod7"
        os.makedirs(self.pod, exist_ok=True)
        super().__init__(name, group="kubepods/burstable/pod7/launcher",
                         prefix=["setpriv", f"--reuid={QEMU_UID}", f"--regid={QEMU_UID}", "--clear-groups"], **kwargs)

    def destroy(self):
        super().destroy()
        for group in (self.pod, os.path.dirname(self.pod), os.path.dirname(os.path.dirname(self.pod))):
            os.rmdir(group)

    def limit(self, on):
        version = proc.cpu_cgroup(os.getpid())[2]
        name, limit, none = (("cpu.cfs_quota_us", "50000", "-1") if version == 1 else
                             ("cpu.max", "50000 100000", "max"))
        with open(f"{self.pod}/{name}", "w", encoding="ascii") as file:
            file.write(limit if on else none)


def test_a_pod(scene):
    """Its user has a number alone, its name is NAMESPACE_NAME, and the CPU limit of its pod is a quota above it."""
    vm = scene.bare("telephony_pbx", make=InPod)
    daemon = scene.daemon(config={"default_profile": "observe", "profiles": {"latency": {"share_permille": 50}},
                                  "domains": {"glob": {"telephony_*": {"profile": "latency"}}},
                                  "host": {"discovery": ["procfs"], "qemu_users": ["root", str(QEMU_UID)]}})
    daemon.wait_boosted(vm)
    vm.limit(True)
    daemon.wait_reason(vm, "quota")
    proc.wait_for(lambda: not attributes.boosted(vm.tid), 5, "the vCPU to be given back")
    checks = json.loads(daemon.call("doctor", "--json").stdout)["checks"]
    fixes = [check["fix"] for check in checks if "CFS quota" in check["detail"] and vm.name in check["name"]]
    assert len(fixes) == 1 and "resources.limits.cpu" in fixes[0], checks
    vm.limit(False)
    daemon.wait_boosted(vm)
    daemon.stop()
    scene.assert_pristine()
