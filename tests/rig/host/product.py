# SPDX-License-Identifier: GPL-2.0-or-later
"""A layer on a base image: pvschedd installed from its packages, the nested guest, the tests' tools."""

import glob
import hashlib
import os
import shutil
import subprocess
import tempfile
import time

from . import emulator, recipe
from .archive import machine_suite
from .base import CacheLock
from .machine import HostDied, Machine, names
from .recipe import say
from ..proc import RigError, run

RIG = os.path.dirname(recipe.HERE)
CHECKER = os.path.join(recipe.REPOSITORY, "tests", "checker")
# Where things are inside.
GUEST_INSIDE = "/opt/pvschedd-rig/guest"
PACKAGES_INSIDE = "/opt/pvschedd-rig/packages"
# An emulated kernel may die while it starts.
ATTEMPTS = 3
KEPT_SECONDS = 86400

_INSTALL = f"""set -e
export DEBIAN_FRONTEND=noninteractive
# The image's packages are without documentation; ours are whole, so that dpkg --verify can say so.
printf 'path-include=/usr/share/doc/%s/*\\n' pvschedd libpvsched1 libpvsched-dev >/etc/dpkg/dpkg.cfg.d/rig-documentation
apt-get install -y -q {PACKAGES_INSIDE}/pvschedd_*.deb
systemctl is-active --wait pvschedd
# libvirt asks QEMU once what it can do, and remembers it. KVM refuses an emulated CPU under PREEMPT_RT.
virsh --quiet domcapabilities --virttype $(if [ -c /dev/kvm ]; then echo kvm; else echo qemu; fi) >/dev/null
# libvirt 12 has a key that only this machine-id can read; each host has its own, and makes a key when there is none.
rm -f /var/lib/libvirt/secrets/secrets-encryption-key /var/lib/systemd/credential.secret*
"""


def packages(suite):
    """The .deb files of this checkout for Debian SUITE, built if need be."""
    elsewhere = [] if suite == machine_suite() else ["--suite", suite]
    done = subprocess.run([f"{recipe.REPOSITORY}/scripts/deb", *elsewhere], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RigError("scripts/deb failed, see above")
    return [path for path in done.stdout.split() if "-dbgsym_" not in path]


def _guest_image():
    script = f"{recipe.REPOSITORY}/scripts/guest-image"
    try:
        return run(script, "--offline", timeout=300).strip().splitlines()[-1]
    except RigError:
        return run(script, timeout=600).strip().splitlines()[-1]


def _tools():
    """The Python of the rig, and the entry to it."""
    return sorted(glob.glob(f"{RIG}/*.py")) + [f"{recipe.HERE}/rig-guest"]


def _digest(image, debs, guest):
    hasher = hashlib.sha256(f"{os.path.basename(image.directory)} {os.path.basename(guest)}\n".encode())
    for path in [*debs, *_tools(), *sorted(glob.glob(f"{CHECKER}/*.[ch]")), os.path.abspath(__file__)]:
        hasher.update(f"{os.path.basename(path)}\n".encode())
        with open(path, "rb") as file:
            hasher.update(file.read())
    return hasher.hexdigest()[:12]


def ensure(image):
    """The layer of this checkout on a base.Image; made if it is not there."""
    debs, guest = packages(image.suite), _guest_image()
    layer = f"{recipe.CACHE}/product-{image.name}-{_digest(image, debs, guest)}.qcow2"
    with CacheLock():
        if not os.path.exists(layer):
            begin = time.monotonic()
            say("installing pvschedd on the image")
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    _build(layer, image, debs, guest)
                    break
                except HostDied as error:
                    if attempt == ATTEMPTS:
                        raise
                    say(f"{error}; trying again")
            say(f"pvschedd installed on the image in {time.monotonic() - begin:.0f} s")
            prune(keep={image.directory, layer, emulator.newest()})
        for path in (image.directory, layer, emulator.newest()):
            os.utime(path)
    return layer


def _collect(directory, debs, guest):
    """What is copied into /opt/pvschedd-rig."""
    os.makedirs(f"{directory}/packages")
    for path in debs:
        shutil.copy(path, f"{directory}/packages/")
    shutil.copytree(guest, f"{directory}/guest")
    os.makedirs(f"{directory}/tests/rig")
    for path in _tools():
        shutil.copy(path, f"{directory}/tests/rig/")
    os.makedirs(f"{directory}/bin")
    # Static, since the host need not have this machine's C library.
    run("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-o", f"{directory}/bin/sched-snapshot",
        *sorted(glob.glob(f"{CHECKER}/*snapshot*.c")))


def _build(layer, image, debs, guest):
    unfinished = f"{layer}.new"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image.disk, "-F", "raw", unfinished)
    machine = Machine(f"layer-{os.getpid()}")
    try:
        machine.start(image, disk=unfinished, write=True)
        with tempfile.TemporaryDirectory() as work:
            content = f"{work}/pvschedd-rig"
            os.mkdir(content, mode=0o755)
            _collect(content, debs, guest)
            if machine.remote().send([content], "/opt/") != 0:
                raise RigError("copying into the host failed, see above")
        command = _INSTALL + ("ln -sf /opt/pvschedd-rig/bin/sched-snapshot /usr/local/bin/\n"
                              "ln -sf /opt/pvschedd-rig/tests/rig/rig-guest /usr/local/bin/\nsync\n")
        done = machine.call(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RigError(f"the installation of pvschedd failed:\n{done.stdout}")
        machine.power_off()
        os.rename(unfinished, layer)
    finally:
        machine.clean()
        if os.path.exists(unfinished):
            os.unlink(unfinished)


def prune(keep):
    """Removes what is neither in KEEP, nor used by a host, nor was used for a day: other checkouts have images of their
    own."""
    used = set(keep)
    for name in names():
        state = Machine(name).state()
        used |= {state.get(key) for key in ("disk", "image", "emulator")}
        used.add(os.path.dirname(state.get("disk", "")))
    for kind in ("product", "base", "emulator", "root"):
        for path in glob.glob(f"{recipe.CACHE}/{kind}-*"):
            if path in used or time.time() - os.path.getmtime(path) < KEPT_SECONDS:
                continue
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
