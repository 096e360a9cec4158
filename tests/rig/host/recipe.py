# SPDX-License-Identifier: GPL-2.0-or-later
"""What the image of the emulated host is made of, and the digest that names it in the cache."""

import hashlib
import os
import re
import subprocess

from ..proc import RigError, run

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CACHE = os.environ.get("PVSCHED_RIG_CACHE", "/var/cache/pvschedd/rig")
SUITE = "bookworm"

# Name of the series -> the package that always depends on its newest kernel.
KERNELS = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}

# The files of the recipe: whatever they become, the image is another one.
_FILES = [os.path.join(HERE, name) for name in ("recipe.py", "base.py", "initramfs.py", "emulator.py")]


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


def sources():
    """Lines for sources.list: Debian's archives as this machine's apt has them."""
    text = run("apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)",
               "Created-By: Packages")
    lines = []
    for line in dict.fromkeys(text.splitlines()):
        uri, release, component, origin = line.split("|")
        if origin == "Debian" and release.startswith(SUITE) and component == "main":
            lines.append(f"deb {uri} {release} {component}")
    if not any(f" {SUITE} " in line for line in lines):
        raise RigError(f"apt of this machine knows no archive of Debian {SUITE}: add one to "
                       "/etc/apt/sources.list.d and run apt-get update")
    return lines


def apt_options():
    """What this machine's apt needs to reach its archives: proxies, retries, expired lists allowed or not."""
    options = []
    for line in run("apt-config", "dump", "--format", "%f \"%v\"%n").splitlines():
        if re.match(r"Acquire::(https?|Retries|Check-Valid-Until|Check-Date)\b.* \"[^\"]", line):
            options.append(line)
    return options


def resolve_kernel(package):
    """(name, version) of the kernel package that the metapackage stands for, by apt's lists; None if unknown."""
    done = subprocess.run(["apt-cache", "show", "--no-all-versions", package], capture_output=True, text=True,
                          check=False)
    match = re.search(r"^Depends:.*?(linux-image-[0-9]\S*) \(= ([^)]+)\)", done.stdout, re.MULTILINE)
    return (match[1], match[2]) if match else None


def resolve_kernels():
    """{series: (package, version)}; updates apt's lists once if they know no kernel."""
    for attempt in ("lists as they are", "lists updated"):
        if attempt == "lists updated":
            subprocess.run(["apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
        found = {series: resolve_kernel(package) for series, package in KERNELS.items()}
        if all(found.values()):
            return found
    missing = [KERNELS[series] for series, kernel in found.items() if not kernel]
    raise RigError(f"apt knows no {' and no '.join(missing)}: is Debian's archive with its security suite among "
                   "its sources?")


def digest():
    """Of all that a checkout puts into the image. Kernels come on top, since they change by themselves."""
    hasher = hashlib.sha256()
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


def kernels_digest(kernels):
    return hashlib.sha256(repr(sorted(kernels.items())).encode()).hexdigest()[:8]
