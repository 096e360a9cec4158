# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU that emulates the host: newer than Debian 12's own, from Debian's backports, unpacked beside the image.

QEMU before 8.1 may keep a translation of kernel code that another CPU patched while it was translated ("accel/tcg:
Always lock pages before translation", deba78709a). The kernel patches its code whenever a tracepoint is switched on
or off, which pvschedd does at each start and stop: with 7.2 such a host hangs or dies within minutes. What runs
*inside* the host is Debian 12's own.
"""

import os
import shutil
import subprocess

from . import recipe
from ..proc import RigError

PACKAGES = ("qemu-system-x86", "qemu-system-data", "seabios")
_KEPT = ("usr/bin/qemu-system-x86_64", "usr/share/qemu", "usr/share/seabios")


def _archive():
    """The line of sources.list for the backports: of the same mirror as Debian itself."""
    for line in recipe.sources():
        _, uri, release, component = line.split()
        if release == recipe.SUITE:
            return f"deb {uri} {release}-backports {component}"
    raise RigError("apt knows no archive of Debian")


def _apt(work, *argv, **kwargs):
    """apt-get with sources and lists of its own: this machine's stay as they are."""
    done = subprocess.run(["apt-get", "-q", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={**os.environ, "APT_CONFIG": f"{work}/apt.conf"}, **kwargs)
    if done.returncode != 0:
        raise RigError(f"apt-get {argv[0]} from Debian's backports failed: {done.stdout.strip()[-500:]}")


def fetch(work, target):
    """Unpacks it into the directory TARGET; WORK is an empty directory for what comes between."""
    for name in ("lists/partial", "cache/archives/partial", "download"):
        os.makedirs(f"{work}/{name}")
    for name in ("", "lists/partial", "cache/archives/partial", "download"):
        shutil.chown(f"{work}/{name}", "_apt")
    with open(f"{work}/sources.list", "w", encoding="utf-8") as file:
        file.write(_archive() + "\n")
    with open(f"{work}/apt.conf", "w", encoding="utf-8") as file:
        file.write(f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "/nonexistent";\n'
                   f'Dir::State::lists "{work}/lists";\nDir::Cache "{work}/cache";\n')
    _apt(work, "update")
    _apt(work, "download", *PACKAGES, cwd=f"{work}/download")
    for archive in os.listdir(f"{work}/download"):
        subprocess.run(["dpkg", "-x", f"{work}/download/{archive}", f"{work}/unpacked"], check=True)
    for path in _KEPT:
        os.makedirs(os.path.dirname(f"{target}/{path}"), exist_ok=True)
        shutil.move(f"{work}/unpacked/{path}", f"{target}/{path}")
    # It needs the libraries of Debian 12's QEMU, which scripts/packages names; better to hear now than at a boot.
    if subprocess.run([f"{target}/{_KEPT[0]}", "--version"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise RigError(f"{target}/{_KEPT[0]} does not run: scripts/install-packages vm")


def argv(directory):
    """The beginning of QEMU's command line."""
    return [f"{directory}/{_KEPT[0]}", "-L", f"{directory}/usr/share/seabios", "-L", f"{directory}/usr/share/qemu"]
