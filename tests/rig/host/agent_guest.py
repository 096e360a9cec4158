# SPDX-License-Identifier: GPL-2.0-or-later
"""The image of a guest with pvsched-agent of this checkout, and the kernel of any host that the rig knows."""

import functools
import lzma
import os
import re
import shutil
import tempfile

from . import base, product, recipe
from .archive import machine_suite
from ..proc import RigError, read, run

# What a vsock device needs, and all that these depend on. What is not listed in modules.dep is built in.
_WANTED = ("virtio_pci", "vmw_vsock_virtio_transport")


def _dump(image, source, target):
    """Copies a file out of an image's disk; no host needs to run for that."""
    run("debugfs", "-R", f"dump {source} {target}", image.disk)
    if not os.path.exists(target) or os.path.getsize(target) == 0:
        raise RigError(f"{image.disk} has no {source}")


def _modules(text):
    """Paths of the modules that are wanted, by the text of modules.dep."""
    lines = (line.partition(":") for line in text.splitlines())
    return {path for own, _, others in lines if re.sub(r"\.ko(\.xz)?$", "", os.path.basename(own)) in _WANTED
            for path in (own, *others.split())}


def _unpack(image, series, directory):
    """Kernel and modules of an image, as scripts/guest-image wants them."""
    modules = f"/lib/modules/{image.kernels()[series]}"
    os.makedirs(f"{directory}/modules")
    shutil.copy(image.boot_files(series)[0], f"{directory}/vmlinuz")
    _dump(image, f"{modules}/modules.dep", f"{directory}/modules.dep")
    for path in _modules(read(f"{directory}/modules.dep")):
        file = f"{directory}/modules/{os.path.basename(path)}"
        _dump(image, f"{modules}/{path}", file)
        if file.endswith(".xz"):
            with lzma.open(file) as packed, open(file.removesuffix(".xz"), "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            os.unlink(file)


@functools.cache
def agent_image(host=None, kernel=None):
    """Directory of kernel and initramfs, as guest_image() of rig.guest, built if need be.

    host, kernel  as scripts/rig --help has them: the guest runs the kernel that such a host runs
    """
    root, series = recipe.choose(host, kernel)
    image = base.ensure(root, offline=base.newest(root) is not None)
    (package,) = [path for path in product.packages(machine_suite()) if os.path.basename(path).startswith("pvsched-agent_")]
    with tempfile.TemporaryDirectory() as work:
        directory = f"{work}/{image.kernels()[series]}"
        _unpack(image, series, directory)
        script = f"{recipe.REPOSITORY}/scripts/guest-image"
        return run(script, "--agent", package, "--kernel", directory, timeout=300).strip().splitlines()[-1]
