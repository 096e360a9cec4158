# SPDX-License-Identifier: GPL-2.0-or-later
"""Which emulated hosts there are, what their images are made of, and the digest that names an image in the cache."""

import hashlib
import os
import sys
from dataclasses import dataclass

from ..proc import RigError

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CACHE = os.environ.get("PVSCHED_RIG_CACHE", "/var/cache/pvschedd/rig")


@dataclass(frozen=True)
class Root:
    """A disk of the emulated host. Hosts that differ in their kernel alone share one.

    kernels  series -> (suite, package): a metapackage that depends on the newest kernel of that series, or a pattern
             with * for the number, where there is no metapackage
    newer    packages that come from the suite's backports, with all that is built of their sources
    """
    name: str
    suite: str
    debian: str
    kernels: dict
    newer: tuple = ()


# The first is what is meant when nothing is said; so is the first kernel of a suite.
ROOTS = (
    Root("bookworm", "bookworm", "Debian 12", {
        "6.1": ("bookworm", "linux-image-cloud-amd64"),
        "6.12": ("bookworm", "linux-image-6.12-cloud-amd64")}),
    # PREEMPT_RT, on a disk of their own: their packages have every driver, and few tests need them.
    Root("bookworm-rt", "bookworm", "Debian 12", {
        "6.1-rt": ("bookworm", "linux-image-rt-amd64"),
        "6.12-rt": ("bookworm", "linux-image-6.12-rt-amd64")}),
    Root("trixie", "trixie", "Debian 13", {
        "6.12": ("trixie", "linux-image-cloud-amd64"),
        "6.18": ("trixie-backports", "linux-image-6.18.*+deb13-cloud-amd64")}),
    # Whatever is newest when the image is made: what Debian's next release will be like.
    Root("trixie-newest", "trixie", "Debian 13", {
        "newest": ("trixie-backports", "linux-image-cloud-amd64")}, newer=("qemu-system-x86", "libvirt0", "seabios")),
)
SUITES = tuple(dict.fromkeys(root.suite for root in ROOTS))
KERNELS = tuple(dict.fromkeys(series for root in ROOTS for series in root.kernels))

# The files of the recipe: whatever they become, the image is another one.
_FILES = [os.path.join(HERE, name) for name in ("recipe.py", "base.py", "kernels.py", "initramfs.py")]


def say(text):
    print(f"rig: {text}", file=sys.stderr, flush=True)


def choose(host=None, kernel=None):
    """(root, series of the kernel) for the names of a host and a kernel; None is the default."""
    host = host or ROOTS[0].suite
    for root in ROOTS:
        if root.suite == host and kernel in (None, *root.kernels):
            return root, kernel or next(iter(root.kernels))
    there = "; ".join(f"--host {suite} with --kernel " + ", ".join(
        series for root in ROOTS if root.suite == suite for series in root.kernels) for suite in SUITES)
    raise RigError(f"there is no host {host} with kernel {kernel or 'of its own'}. There are: {there}")


def packages(purpose):
    """What scripts/packages lists for PURPOSE; of alternatives the first."""
    found = []
    with open(os.path.join(REPOSITORY, "scripts", "packages"), encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) == 2 and words[0] == purpose:
                found.append(words[1].split("|")[0])
    if not found:
        raise RigError(f"scripts/packages has no purpose '{purpose}'")
    return found


def image_files():
    """(path on the image, path here, mode) of each file below files/: its tree is that of the image."""
    root = os.path.join(HERE, "files")
    found = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            found.append(("/" + os.path.relpath(path, root), path, os.stat(path).st_mode & 0o777))
    return sorted(found)


def digest(root):
    """Of all that a checkout puts into the image of ROOT. What the archive has of itself comes on top."""
    hasher = hashlib.sha256(f"{root}\n".encode())
    for package in packages("host"):
        hasher.update(f"{package}\n".encode())
    for path in _FILES:
        with open(path, "rb") as file:
            hasher.update(file.read())
    for target, path, mode in image_files():
        hasher.update(f"{target} {mode:o}\n".encode())
        with open(path, "rb") as file:
            hasher.update(file.read())
    return hasher.hexdigest()[:12]
