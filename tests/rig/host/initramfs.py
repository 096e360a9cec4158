# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest initramfs that reaches the root disk: busybox and the drivers of virtio disks and, since udev is slow, interfaces."""

import gzip
import lzma
import os
import re
import shutil
import subprocess
import tempfile

from ..proc import RigError

WANTED = ("virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4")
# ext4 asks for the checksum by name, so modules.dep does not tell; newer kernels have it built in, without a module.
OPTIONAL = ("crc32c_generic",)

_INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /dev /proc /root
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
for module in {modules}; do $B insmod /modules/$module; done
# The disk's node comes when its driver has looked at it.
until $B mount -t ext4 -o noatime /dev/vda /root 2>/dev/null; do $B usleep 20000; done
$B umount /proc
$B mount -t devtmpfs dev /root/dev
exec $B switch_root /root /sbin/init
"""


def _name(path):
    return re.sub(r"\.ko(\.xz|\.gz)?$", "", os.path.basename(path)).replace("-", "_")


def _load_order(directory):
    """Files of the modules WANTED and of what they depend on, in the order in which they load."""
    with open(f"{directory}/modules.builtin", encoding="ascii") as file:
        builtin = {_name(line.strip()) for line in file}
    needs = {}
    with open(f"{directory}/modules.dep", encoding="ascii") as file:
        for line in file:
            path, _, rest = line.strip().partition(":")
            needs[_name(path)] = (path, rest.split())
    order = []
    for wanted in WANTED:
        if wanted in builtin:
            continue
        if wanted not in needs and wanted in OPTIONAL:
            continue
        if wanted not in needs:
            raise RigError(f"the kernel in {directory} has no {wanted}")
        path, others = needs[wanted]
        order += [other for other in reversed(others) if other not in order]
        order += [path] if path not in order else []
    return order


def _unpack(source, target):
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(os.path.splitext(source)[1], open)
    with opener(source, "rb") as packed, open(target, "wb") as file:
        shutil.copyfileobj(packed, file)


def make(modules_directory, busybox, target):
    """Writes the initramfs for the kernel whose modules are in MODULES_DIRECTORY to TARGET."""
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(f"{root}/bin")
        os.makedirs(f"{root}/modules")
        shutil.copy(busybox, f"{root}/bin/busybox")
        order = _load_order(modules_directory)
        for path in order:
            _unpack(f"{modules_directory}/{path}", f"{root}/modules/{_name(path)}.ko")
        with open(f"{root}/init", "w", encoding="ascii") as file:
            file.write(_INIT.format(modules=" ".join(f"{_name(path)}.ko" for path in order)))
        os.chmod(f"{root}/init", 0o755)
        with open(target, "wb") as file:
            subprocess.run("find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0", shell=True, cwd=root,
                           stdout=file, check=True)
