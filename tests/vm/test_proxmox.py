# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedd-proxmox on a host that looks like one of Proxmox: VMs in qemu.slice, configurations in /etc/pve, no libvirt."""

import json
import os
import re
import subprocess

import pytest

from host import PACKAGES
from integration.firmware import FLOPPY_BYTES, boot_sector

HERE = os.path.dirname(os.path.abspath(__file__))
TAKES_ID = os.path.join(os.path.dirname(HERE), "integration", "takes_id.c")
PLACE = "/opt/proxmox"
VMID, UUID = "101", "0f0b3b52-6f0c-4a9f-8a1b-2a3c5f0e7d11"
SCOPE = f"{VMID}.scope"
DEMONS = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service"

pytestmark = pytest.mark.any_kernel


@pytest.fixture
def proxmox(host):
    """Its package beside the daemon, libvirt stopped."""
    host.run(f"virsh list --name | grep . | xargs -r -d '\\n' -n 1 virsh destroy; systemctl stop {DEMONS}")
    host.run("mkdir -p /etc/pve/qemu-server")
    said = host.run(f"DEBIAN_FRONTEND=noninteractive apt-get -y -q install {PACKAGES}/pvschedd-proxmox_*.deb", timeout=180)
    assert re.search(r"0 upgraded, 1 newly installed", said), said
    host.wait_active()
    yield host
    host.run(f"systemctl stop {SCOPE}; DEBIAN_FRONTEND=noninteractive apt-get -y -q purge pvschedd-proxmox; "
             f"rm -rf {PLACE} /etc/pve; systemctl start libvirtd-ro.socket libvirtd.socket libvirtd", check=False, timeout=180)
    host.restart()
    host.wait_source("libvirt", True)


@pytest.fixture
def vm(proxmox, tmp_path):
    """A VM as `qm start` starts it; the pid of its QEMU."""
    library, image = str(tmp_path / "takes-id.so"), str(tmp_path / "boot.img")
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-o", library, TAKES_ID], check=True)
    with open(image, "wb") as file:
        file.write(boot_sector(0, 1, 50))
        file.truncate(FLOPPY_BYTES)
    proxmox.run(f"mkdir -p {PLACE}")
    assert proxmox.machine().remote().send([library, image], f"{PLACE}/") == 0
    proxmox.write(f"/etc/pve/qemu-server/{VMID}.conf", "cores: 1\nname: pbx\ntags: pvsched-latency;web\n")
    qemu = (f"LD_PRELOAD={PLACE}/takes-id.so exec /usr/bin/qemu-system-x86_64 -id {VMID} -name pbx,debug-threads=on "
            f"-no-shutdown -smbios type=1,uuid={UUID} -smp 1,sockets=1,cores=1,maxcpus=1 -nodefaults -m 64 -display none "
            f"-machine pc,accel=kvm -cpu qemu64 -boot a -pidfile {PLACE}/pid -daemonize "
            f"-drive file={PLACE}/boot.img,if=floppy,format=raw,readonly=on")
    proxmox.run(f"systemd-run -q --scope --slice=qemu --unit={VMID} sh -c '{qemu}'")
    return int(proxmox.run(f"cat {PLACE}/pid"))


def shown(host):
    return host.ctl(f"show {VMID}")["domain"]


def test_without_libvirt(proxmox):
    """Neither its package needs libvirt, nor does the daemon that runs have any of it."""
    host = proxmox
    fields = host.run(f"for deb in {PACKAGES}/pvschedd_*.deb {PACKAGES}/pvschedd-proxmox_*.deb; do "
                      "dpkg-deb -f $deb Depends Pre-Depends; done")
    assert "libvirt" not in fields, fields
    # an archive that has libvirt is not asked for it: this package is one of what is recommended in its place
    recommended = host.run(f"dpkg-deb -f {PACKAGES}/pvschedd_*.deb Recommends")
    assert "pvschedd-proxmox" in recommended.split(" | ")
    assert host.code(f"grep -q libvirt /proc/{host.main_pid()}/maps") == 1
    sources = host.ctl("status")["sources"]
    assert "libvirt" not in sources and sources["procfs"]["ok"], sources


def test_a_tag_is_enough(vm, proxmox, figure):
    """A guest gains, doctor has nothing to say against it, and the limit of its scope is told in Proxmox's words."""
    host = proxmox
    host.wait_for(f"pvschedctl --json show {VMID} | grep -q '\"profile\":\"latency\"'", "the VM to be found")
    domain = shown(host)
    assert (domain["vmid"], domain["title"], domain["tags"]) == (101, "pbx", ["pvsched-latency", "web"])
    assert domain["pid"] == vm and domain["discovered_by"] == "procfs"
    tid = domain["vcpus"][0]["tid"]
    assert host.run(f"cat /proc/{tid}/cgroup").strip().endswith(f"/qemu.slice/{SCOPE}")
    host.wait_boosted(tid)
    host.wait_for(f"pvschedctl --json show {VMID} | grep -Eq '\"boosted_wakeups\":[1-9]'", "a wake-up while boosted")
    gained = shown(host)["vcpus"][0]
    figure(f"a VM as Proxmox starts it: {gained['boosted_wakeups']} of {gained['wakeups']} wake-ups came while it was boosted")
    done = host.run("pvschedctl doctor; echo exit $?")
    assert done.splitlines()[-1] == "exit 0" and done.splitlines()[-2].endswith(" 0 failed"), done
    assert "virsh" not in done and "libvirtd" not in done, done
    host.run(f"systemctl set-property --runtime {SCOPE} CPUQuota=50%")
    host.wait_for(f"pvschedctl --json show {VMID} | grep -q '\"reason\":\"quota\"'", "the quota to be seen")
    checks = json.loads(host.run("pvschedctl --json doctor; true"))["checks"]
    assert f"qm set {VMID} --delete cpulimit" in [check["fix"] for check in checks]
    host.run(f"systemctl set-property --runtime {SCOPE} CPUQuota=")
    host.wait_boosted(tid)
    # `qm set 101 --tags web`
    host.write(f"/etc/pve/qemu-server/{VMID}.conf", "cores: 1\nname: pbx\ntags: web\n")
    host.run("pvschedctl reload")
    host.wait_for(f"pvschedctl --json show pbx | grep -q '\"profile\":\"observe\"'", "the tag to be gone")
    host.wait_for(f"! chrt -p {tid} | grep -q SCHED_FIFO", "the vCPU to be given back")
