# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels of an emulated host, from Debian's packages: unpacked and not installed, without boot loader and hooks."""

import glob
import os
import re
import shutil
from dataclasses import dataclass

from . import initramfs
from .archive import Archive
from ..proc import RigError, run


@dataclass(frozen=True)
class Kernel:
    """release is what `uname -r` says; packages are all that hold a part of it, each as NAME=VERSION."""
    suite: str
    release: str
    packages: tuple


def _image(archive, package):
    """Name of the newest package of a kernel's image: what a metapackage depends on, or what fits a pattern."""
    if "*" in package:
        begin, _, end = package.partition("*")
        found = [re.fullmatch(f"{re.escape(begin)}(\\d+){re.escape(end)}", name) for name in archive.names(begin)]
        return max(filter(None, found), key=lambda match: int(match[1]), default=[None])[0]
    match = re.search(r"\b(linux-image-[0-9]\S*)", archive.show(package).get("Depends", ""))
    return match[1] if match else None


def _resolve(archive, package):
    image = _image(archive, package)
    fields = archive.show(image) if image else {}
    if not fields:
        raise RigError(f"Debian {archive.suite} has no kernel {package}")
    # Since 6.19 the parts are packages of their own, and the image is empty. Before, linux-base-* has documentation.
    parts = re.findall(r"\b(linux-(?:base|binary|modules)-[0-9]\S*) \(= ([^)]+)\)", fields.get("Depends", ""))
    if not any(name.startswith("linux-binary-") for name, _ in parts):
        parts = []
    return Kernel(archive.suite, image.removeprefix("linux-image-"),
                  tuple(f"{name}={version}" for name, version in [(image, fields["Version"]), *parts]))


def resolve(root):
    """{series: Kernel} of ROOT, by what the archive has today."""
    archives = {suite: Archive(suite) for suite, _ in root.kernels.values()}
    return {series: _resolve(archives[suite], package) for series, (suite, package) in root.kernels.items()}


def _one(*patterns):
    found = [path for pattern in patterns for path in glob.glob(pattern)]
    if len(found) != 1:
        raise RigError(f"a kernel's package has {found or 'nothing'} where one of {', '.join(patterns)} was expected")
    return found[0]


def add(kernel, root, work, image):
    """Puts its modules into the tree ROOT, and IMAGE-vmlinuz and -initrd in front of the disk. WORK is scratch."""
    release = kernel.release
    Archive(kernel.suite).unpack(kernel.packages, work)
    modules = _one(f"{work}/lib/modules/{release}", f"{work}/usr/lib/modules/{release}")
    shutil.move(_one(f"{work}/boot/vmlinuz-{release}", f"{modules}/vmlinuz"), f"{image}vmlinuz")
    shutil.copy(_one(f"{work}/boot/config-{release}", f"{modules}/config"), f"{root}/boot/config-{release}")
    os.makedirs(f"{root}/lib/modules", exist_ok=True)
    shutil.move(modules, f"{root}/lib/modules/{release}")
    run("chroot", root, "depmod", release, timeout=120)
    initramfs.make(f"{root}/lib/modules/{release}", f"{root}/bin/busybox", f"{image}initrd")
    shutil.rmtree(work)
