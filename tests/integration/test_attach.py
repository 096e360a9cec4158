# SPDX-License-Identifier: GPL-2.0-or-later
"""attach and detach: the shared memory of guest pages comes and goes, in definitions and while a guest runs."""

import json
import os
import re
import subprocess
import uuid as uuids

import pytest

from rig import proc
from rig.daemon import program
from rig.guest import Guest, guest_image
from rig.libvirtd import URI, virsh

FAILED, USAGE, NO_LIBVIRT, NOT_PERMITTED, NO_DOMAIN = 1, 2, 3, 4, 5
NOBODY = 65534
DEVICE = "PCI device 1af4:1110"


class Defined(Guest):
    """A guest with a persistent definition, which goes with it."""

    def __init__(self, name, deadman, vcpus=1, devices="", **kwargs):
        super().__init__(name, type="qemu", deadman=deadman, vcpus=vcpus, **kwargs)
        self.id = str(uuids.uuid4())
        self.shm = f"/dev/shm/pvsched-{self.id}"
        self.xml = self.xml.replace("</name>", f"</name>\n  <uuid>{self.id}</uuid>")
        self.xml = self.xml.replace("</devices>", f"{devices}</devices>")
        self._defined_key = None

    def define(self):
        path = f"{self._dir}/domain.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.xml)
        self._defined_key = self._deadman.add(argv=["virsh", "--connect", URI, "undefine", self.id])
        virsh("define", path)
        return self

    def start(self):
        self._key = self._deadman.add(argv=["virsh", "--connect", URI, "destroy", self.id])
        virsh("start", self.id)
        self.follow_boot()
        return self

    def stop(self):
        self._close()
        virsh("destroy", self.id)
        self._deadman.remove(self._key)
        self._key = None

    def definition(self):
        return virsh("dumpxml", "--inactive", "--security-info", self.id)

    def live(self):
        return virsh("dumpxml", self.id)

    def devices(self):
        """Numbers of the PCI slots of root bus with an ivshmem device, by QEMU's word."""
        found, slot = [], None
        for line in virsh("qemu-monitor-command", self.id, "--hmp", "info pci").splitlines():
            at = re.match(r" *Bus +0, device +(\d+), function", line)
            slot = int(at[1]) if at else slot
            if DEVICE in line:
                found.append(slot)
        return found

    def maps_device(self):
        """The guest has given the memory of the device an address."""
        text = virsh("qemu-monitor-command", self.id, "--hmp", "info pci").partition(DEVICE)[2]
        return re.search(r"BAR2: .* memory at 0x(?!ffffffffffffffff)[0-9a-f]+ ", text)

    def destroy(self):
        super().destroy()
        if self._defined_key is not None:
            virsh("undefine", self.id)
            self._deadman.remove(self._defined_key)
            self._defined_key = None
        if os.path.exists(self.shm):
            os.unlink(self.shm)


@pytest.fixture
def domains(scene):
    """Makes guests that are defined and do not run yet."""
    made = []

    def make(name="pvsched-it-attach", **kwargs):
        try:
            image = guest_image()
        except proc.RigError as error:
            pytest.skip(f"no image of the Linux guest: {error}")
        domain = Defined(name, scene.deadman, image=image, **kwargs)
        made.append(domain)
        return domain.define()

    yield make
    for domain in made:
        domain.destroy()


@pytest.fixture
def ctl(build_dir):
    """Runs pvschedctl without a daemon; checks the exit status."""

    def call(*words, status=0, prefix=()):
        done = subprocess.run([*prefix, program(build_dir, "pvschedctl"), *words], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        assert bool(done.stderr) == (status != 0), done.stderr
        return done.stderr if status else done.stdout

    return call


def cmdline(pid):
    return proc.read(f"/proc/{pid}/cmdline").split("\0")


def mappings(pid, word):
    return [line for line in proc.read(f"/proc/{pid}/maps").splitlines() if word in line]


@pytest.mark.parametrize("kind,bus", [("pc", "pci.0"), ("q35", "pcie.0")])
def test_persistent(domains, ctl, kind, bus):
    domain = domains(machine=kind)
    before = domain.definition()
    told = ctl("attach", domain.name)
    assert "custom-argv" in told and "The definition was changed." in told and "cold start" in told
    memory = "memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on"
    device = f"ivshmem-plain,id=pvsched,memdev=pvsched,master=on,bus={bus},addr=0x1c"
    assert f"value='{memory}'" in told and f"value='{device}'" in told
    attached = domain.definition()
    assert attached != before
    assert "nothing to do, it has the memfd already" in ctl("attach", domain.id)
    assert domain.definition() == attached

    domain.start()
    words = cmdline(domain.pid)
    assert words[words.index(memory) - 1] == "-object" and words[words.index(device) - 1] == "-device"
    assert mappings(domain.pid, "/memfd:"), "QEMU has not mapped the memfd"
    domain.wait_ready()
    assert "custom-argv" in virsh("dominfo", domain.id) or "custom configuration" in virsh("dominfo", domain.id)
    assert domain.devices() == [0x1C] and domain.maps_device()
    assert "cannot be unplugged" in ctl("detach", domain.name, "--live", status=FAILED)
    assert "it has the memfd" in ctl("attach", domain.name, "--live")
    told = ctl("detach", domain.name)
    assert "Shut the domain off and start it" in told
    assert domain.definition() == before
    assert domain.devices() == [0x1C], "what runs keeps it"
    domain.stop()
    domain.start()
    assert memory not in cmdline(domain.pid) and domain.devices() == []
    assert "nothing to do, it has none" in ctl("detach", domain.name)


def test_agent(domains, ctl):
    """The definition gets a vsock device and loses it again; one that is there already serves, and stays."""
    domain = domains()
    before = domain.definition()
    told = ctl("attach", domain.name, "--agent")
    assert "<vsock model='virtio'>" in told and "taint        none" in told and "custom-argv" not in told
    attached = domain.definition()
    assert "<cid auto='yes'/>" in attached and "ua-pvsched-agent" in attached
    assert "nothing to do, it has a vsock device already" in ctl("attach", domain.id, "--agent")
    done = json.loads(ctl("--json", "attach", domain.id, "--agent"))
    assert done["done"] and not done["persist"]["changes"]
    assert "it has none" in ctl("detach", domain.name)   # of the memory, which is another matter
    assert domain.definition() == attached
    ctl("detach", domain.name, "--agent")
    assert domain.definition() == before
    other = domains(name="pvsched-it-vsock", devices="<vsock model='virtio'><cid auto='no' address='4000'/></vsock>")
    before = other.definition()
    assert "already (CID 4000)" in ctl("attach", other.name, "--agent")
    assert "not one that attach made" in ctl("detach", other.name, "--agent")
    assert other.definition() == before


def test_agent_live(domains, ctl):
    """Where the host has vhost_vsock, a running domain gets the device and lets go of it; else libvirt says why not."""
    domain = domains()
    domain.start().wait_ready()
    before = domain.live()
    if not os.path.exists("/dev/vhost-vsock"):
        assert "vsock" in ctl("attach", domain.name, "--agent", "--live", status=FAILED)
        assert domain.live() == before
        return
    assert "The running domain was changed." in ctl("attach", domain.name, "--agent", "--live")
    assert re.search(r"<cid auto='yes' address='\d+'/>", domain.live())
    assert "custom" not in virsh("dominfo", domain.id)
    ctl("detach", domain.name, "--agent", "--live")
    assert "<vsock" not in domain.live()


def test_hot_plug_beside_it(domains, ctl):
    """libvirt, which does not know of the device, plugs its own in without touching its address."""
    domain = domains()
    ctl("attach", domain.name)
    domain.start()
    domain.wait_ready()
    path = f"{domain._dir}/rng.xml"  # pylint: disable=protected-access
    with open(path, "w", encoding="utf-8") as file:
        file.write("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    for _ in range(3):
        virsh("attach-device", domain.id, path, "--live")
    os.unlink(path)
    assert domain.live().count("<rng ") == 3 and domain.devices() == [0x1C]


def test_others_arguments_and_many_vcpus(domains, ctl):
    domain = domains(max_vcpus=2)
    xml = domain.definition().replace("<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ", 1)
    xml = xml.replace("</domain>", "<qemu:commandline><qemu:arg value='-device'/>"
                      "<qemu:arg value='pci-testdev,addr=0x1c'/><qemu:env name='A' value='B'/></qemu:commandline></domain>")
    path = f"{domain._dir}/other.xml"  # pylint: disable=protected-access
    with open(path, "w", encoding="utf-8") as file:
        file.write(xml)
    virsh("define", path)
    os.unlink(path)
    before = domain.definition()
    assert "pci-testdev" in before
    assert "addr=0x1b" in ctl("attach", domain.name)
    domain.start()
    assert domain.devices() == [0x1B]
    ctl("detach", domain.name)
    assert domain.definition() == before


def test_secrets_stay(domains, ctl):
    domain = domains()
    path = f"{domain._dir}/secret.xml"  # pylint: disable=protected-access
    with open(path, "w", encoding="utf-8") as file:
        file.write(domain.definition().replace("</devices>", "<graphics type='vnc' passwd='geheim7'/></devices>"))
    virsh("define", path)
    os.unlink(path)
    assert "geheim7" in domain.definition()
    assert "geheim7" not in ctl("attach", domain.name)
    assert "geheim7" in domain.definition() and "memory-backend-memfd" in domain.definition()


def test_live(domains, ctl):
    domain = domains().start()
    domain.wait_ready()
    before, definition = domain.live(), domain.definition()
    told = ctl("attach", domain.name, "--live")
    assert f"<shmem name='pvsched-{domain.id}' role='master'>" in told and "The running domain was changed." in told
    assert f"<shmem name='pvsched-{domain.id}' role='master'>" in domain.live()
    assert domain.definition() == definition
    assert os.stat(domain.shm).st_size == 1024 * 1024
    assert mappings(domain.pid, domain.shm)
    assert "tainted" not in virsh("dominfo", domain.id) and "custom-argv" not in told
    assert len(domain.devices()) == 1
    assert "nothing to do" in ctl("attach", domain.name, "--live")
    # The guest takes the device into use: it has given it addresses of its own.
    proc.wait_for(domain.maps_device, 10, "the guest to give the device an address")
    told = ctl("detach", domain.name, "--live")
    assert "The running domain was changed." in told and f"{domain.shm} is removed." in told
    assert domain.devices() == [] and not os.path.exists(domain.shm)
    assert domain.live() == before
    ctl("attach", domain.name, "--live")  # and again
    assert os.path.exists(domain.shm)


def test_live_and_persistent(domains, ctl):
    domain = domains().start()
    domain.wait_ready()
    before = domain.definition()
    answer = json.loads(ctl("attach", domain.name, "--live", "--persist", "--json"))
    assert answer["done"] and answer["live"]["done"] and answer["persist"]["done"] and not answer["dry_run"]
    assert "<shmem" in answer["xml"] and "memory-backend-memfd" in answer["xml"]
    assert {"taint", "cold start", "migration"} <= {cost["what"] for cost in answer["costs"]}
    assert (answer["domain"], answer["uuid"], answer["running"]) == (domain.name, domain.id, True)
    assert "<shmem" in domain.live() and "memory-backend-memfd" not in domain.live()
    assert "memory-backend-memfd" in domain.definition() and "<shmem" not in domain.definition()
    answer = json.loads(ctl("detach", domain.name, "--live", "--persist", "--json"))
    assert answer["done"] and answer["file"] == f"{domain.shm} is removed"
    assert domain.definition() == before and domain.devices() == []


@pytest.mark.parametrize("option", ["--live", "--persist"])
def test_save_and_restore(domains, ctl, option):
    """As migration does, a save takes all of the guest's devices along."""
    domain = domains()
    if option == "--persist":
        ctl("attach", domain.name, option)
    domain.start()
    domain.wait_ready()
    if option == "--live":
        ctl("attach", domain.name, option)
        proc.wait_for(domain.maps_device, 10, "the guest to give the device an address")
    slots = domain.devices()
    virsh("managedsave", domain.id)
    told = ctl("detach" if option == "--persist" else "attach", domain.name, "--dry-run")
    assert "virsh managedsave-remove" in told
    domain.start()
    domain.connect()
    domain.wait_ready()
    assert domain.devices() == slots and domain.maps_device()


def test_dry_run_changes_nothing(domains, ctl):
    domain = domains().start()
    domain.wait_ready()
    before = domain.live(), domain.definition()
    answer = json.loads(ctl("attach", domain.name, "--live", "--persist", "--dry-run", "--json"))
    assert answer["dry_run"] and not answer["done"] and answer["costs"]
    assert answer["live"]["changes"] and answer["persist"]["changes"]
    assert "Nothing was changed: --dry-run." in ctl("attach", domain.name, "--live", "--dry-run")
    assert (domain.live(), domain.definition()) == before and not os.path.exists(domain.shm)
    ctl("attach", domain.name, "--live", "--persist")
    before = domain.live(), domain.definition()
    ctl("detach", domain.name, "--live", "--persist", "--dry-run")
    assert (domain.live(), domain.definition()) == before and os.path.exists(domain.shm)


def test_file_of_before(domains, ctl):
    """A file that is there already is never given to QEMU: it goes, or the device does not come."""
    domain = domains().start()
    domain.wait_ready()
    with open(domain.shm, "wb") as file:
        file.write(b"stale" * 1000)
        file.flush()
        error = ctl("attach", domain.name, "--live", status=FAILED)
        assert f"process {os.getpid()} still uses it" in error and "<shmem" not in domain.live()
    ctl("attach", domain.name, "--live")
    with open(domain.shm, "rb") as file:
        assert file.read() == bytes(1024 * 1024)
    domain.stop()
    assert os.path.exists(domain.shm)
    assert f"{domain.shm} is removed." in ctl("detach", domain.name)
    assert not os.path.exists(domain.shm)
    os.symlink("/etc/passwd", domain.shm)
    domain.start()
    assert "not a regular file" in ctl("attach", domain.name, "--live", status=FAILED)
    os.unlink(domain.shm)


def test_file_that_somebody_keeps(domains, ctl):
    domain = domains().start()
    domain.wait_ready()
    ctl("attach", domain.name, "--live")
    with open(domain.shm, "rb"):
        assert f"was kept: process {os.getpid()} still uses it" in ctl("detach", domain.name, "--live")
    assert "<shmem" not in domain.live() and os.path.exists(domain.shm)
    assert "is removed" in ctl("detach", domain.name, "--live")


def test_guest_that_does_not_let_go(scene, ctl):
    """Real-mode code knows nothing of hot-plug: the device comes, and does not go."""
    domain = scene.domain("pvsched-it attach:2")
    shm = f"/dev/shm/pvsched-{domain.uuid}"
    try:
        ctl("attach", domain.name, "--live")
        assert "has not done so within 10 s" in ctl("detach", domain.uuid, "--live", status=FAILED)
        assert os.path.exists(shm) and mappings(domain.pid, shm)
        assert "it is transient" not in ctl("attach", domain.name, "--live")
        assert "is transient" in ctl("attach", domain.name, status=FAILED)
        assert "is transient" in ctl("attach", domain.name, "--live", "--persist", status=FAILED)
    finally:
        domain.destroy()
        if os.path.exists(shm):
            os.unlink(shm)


def test_pcie_without_a_bridge(domains, ctl):
    domain = domains(machine="q35").start()
    assert "model pcie-to-pci-bridge" in ctl("attach", domain.name, "--live", status=FAILED)
    assert not os.path.exists(domain.shm)
    # neither is anything done in the definition then
    before = domain.definition()
    ctl("attach", domain.name, "--live", "--persist", status=FAILED)
    assert domain.definition() == before


def test_pcie_with_a_bridge(domains, ctl):
    bridge = "".join(f"<controller type='pci' {more}/>" for more in (
        "index='0' model='pcie-root'", "model='pcie-root-port'", "model='pcie-to-pci-bridge'"))
    domain = domains(machine="q35", devices=bridge).start()
    domain.wait_ready()
    ctl("attach", domain.name, "--live")
    proc.wait_for(domain.maps_device, 20, "the guest to give the device an address")
    assert "is removed." in ctl("detach", domain.name, "--live")


def test_refused_by_libvirt(domains, ctl):
    domain = domains().start()
    domain.wait_ready()
    path = f"{domain._dir}/rng.xml"  # pylint: disable=protected-access
    with open(path, "w", encoding="utf-8") as file:
        file.write("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    for _ in range(32):  # the bus has 32 slots
        virsh("attach-device", domain.id, path, "--live", check=False)
    os.unlink(path)
    before = domain.definition()
    error = ctl("attach", domain.name, "--live", "--persist", status=FAILED)
    assert "libvirt refuses to plug the device in: " in error and "No more available PCI slots" in error
    assert domain.definition() == before and not os.path.exists(domain.shm)


def test_errors(domains, ctl):
    domain = domains()
    assert "no domain \"pvsched-it-none\"" in ctl("attach", "pvsched-it-none", status=NO_DOMAIN)
    assert "no domain" in ctl("detach", str(uuids.uuid4()), status=NO_DOMAIN)
    assert "does not run" in ctl("attach", domain.name, "--live", status=FAILED)
    assert "--vcpu is no option of" in ctl("attach", domain.name, "--vcpu", "1", status=USAGE)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    before = domain.definition()
    assert "group libvirt" in ctl("attach", domain.name, prefix=as_nobody, status=NOT_PERMITTED)
    assert domain.definition() == before


def test_stopped_libvirtd_stays_stopped(scene, ctl):
    daemon = scene.own_libvirtd()
    daemon.stop()
    try:
        assert "neither libvirtd nor virtqemud runs" in ctl("attach", "pvsched-it", status=NO_LIBVIRT)
        assert not daemon.pid()
    finally:
        daemon.start()
