# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU that emulates the hosts: newer than Debian 12's own, from Debian's backports, unpacked beside the images.

QEMU before 8.1 may keep a translation of kernel code that another CPU patched while it was translated ("accel/tcg:
Always lock pages before translation", deba78709a). The kernel patches its code whenever a tracepoint is switched on
or off, which pvschedd does at each start and stop: with 7.2 such a host hangs or dies within minutes. What runs
*inside* the host is its Debian's own.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import tempfile

from .archive import Archive, machine_suite
from .recipe import CACHE
from ..proc import RigError

PACKAGES = ("qemu-system-x86", "qemu-system-data", "seabios")
_KEPT = ("usr/bin/qemu-system-x86_64", "usr/share/qemu", "usr/share/seabios")


def _digest():
    with open(os.path.abspath(__file__), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:8]


def newest():
    """Directory of the newest that is in the cache; None without one."""
    found = [path for path in glob.glob(f"{CACHE}/emulator-{_digest()}-*") if os.path.isdir(path)]
    return max(found, key=os.path.getmtime, default=None)


def _archive():
    """It runs with the libraries of this machine's own QEMU, so it is of the same Debian. Debian 13's is new enough."""
    suite = machine_suite()
    return Archive("bookworm-backports" if suite == "bookworm" else suite)


def ensure():
    """Directory of the one that the archive has today; made if it is not there. The caller holds the cache's lock."""
    archive = _archive()
    versions = repr(sorted(archive.sources(PACKAGES).items()))
    directory = f"{CACHE}/emulator-{_digest()}-{hashlib.sha256(versions.encode()).hexdigest()[:8]}"
    if not os.path.isdir(directory):
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=CACHE) as work:
            os.chmod(work, 0o755)
            _build(archive, work)
            os.rename(f"{work}/kept", directory)
    os.utime(directory)
    return directory


def _build(archive, work):
    archive.unpack(PACKAGES, f"{work}/unpacked")
    for path in _KEPT:
        os.makedirs(os.path.dirname(f"{work}/kept/{path}"), exist_ok=True)
        shutil.move(f"{work}/unpacked/{path}", f"{work}/kept/{path}")
    # It needs the libraries of this machine's QEMU, which scripts/packages names; better to hear now than at a boot.
    program = f"{work}/kept/{_KEPT[0]}"
    if subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise RigError(f"{program} of Debian {archive.suite} does not run here: scripts/install-packages vm")


def argv(directory):
    """The beginning of QEMU's command line."""
    return [f"{directory}/{_KEPT[0]}", "-L", f"{directory}/usr/share/seabios", "-L", f"{directory}/usr/share/qemu"]
