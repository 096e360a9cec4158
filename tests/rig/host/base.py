# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the base images: Debian, its kernels, no pvschedd. Kept in the cache, never written again."""

import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from . import archive, emulator, kernels as kernels_of, recipe
from .archive import Archive
from .recipe import say
from ..proc import RigError

DISK_GIB = 8

# Nothing that runs by itself and would disturb a measurement or lengthen the boot.
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "logrotate.timer", "man-db.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
    "systemd-pstore.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "systemd-hwdb-update.service", "systemd-journal-flush.service", "systemd-binfmt.service", "systemd-logind.service",
    "libvirt-guests.service", "modprobe@configfs.service", "modprobe@drm.service", "modprobe@fuse.service",
)

# Documentation of hundreds of packages would be half of the files. Man pages of ours are looked at.
_DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/man/*", "path-include=/usr/share/man/man*/pvsched*",
)


class CacheLock:
    """One process at a time changes the cache."""

    def __enter__(self):
        os.makedirs(recipe.CACHE, mode=0o755, exist_ok=True)
        self._file = open(f"{recipe.CACHE}/lock", "w", encoding="ascii")  # pylint: disable=consider-using-with
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another rig works on the cache: waiting for it")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        self._file.close()


class Image:
    """What is in one directory of the cache: root.img, key, and of each kernel SERIES-vmlinuz and -initrd."""

    def __init__(self, directory):
        self.directory = directory
        with open(f"{directory}/image.json", encoding="utf-8") as file:
            self.about = json.load(file)
        self.disk, self.key = f"{directory}/root.img", f"{directory}/key"

    @property
    def name(self):
        """Of its root."""
        return self.about["root"]

    @property
    def suite(self):
        return self.about["suite"]

    def kernels(self):
        """{series: what `uname -r` says}; the default is the first."""
        return self.about["kernels"]

    def text(self, series):
        """Such as "Debian 13, Linux 7.3.4+deb13-cloud-amd64"."""
        return f"{self.about['debian']}, Linux {self.kernels()[series]}"

    def boot_files(self, series):
        return f"{self.directory}/{series}-vmlinuz", f"{self.directory}/{series}-initrd"


def newest(root):
    """The newest image of ROOT by this checkout's recipe, whatever its kernels; None without one."""
    found = [path for path in glob.glob(f"{recipe.CACHE}/base-{root.name}-{recipe.digest(root)}-*")
             if os.path.isdir(path)]
    return Image(max(found, key=os.path.getmtime)) if found and emulator.newest() else None


def ensure(root, offline=False):
    """The image of ROOT; made if it is not there. Offline: takes what is there, downloads nothing."""
    image = newest(root)
    if offline:
        if not image:
            raise RigError(f"no image of {root.name} by this checkout in {recipe.CACHE}: run scripts/rig build"
                           + ("" if root is recipe.ROOTS[0] else f" --host {root.suite} --kernel "
                              f"{next(iter(root.kernels))}"))
        return image
    try:
        kernels = kernels_of.resolve(root)
        newer = Archive(f"{root.suite}-backports").sources(root.newer) if root.newer else {}
    except RigError as error:
        if not image:
            raise
        say(f"{error} Taking the image that is there.")
        return image
    changing = hashlib.sha256(repr((sorted(kernels.items()), sorted(newer.items()))).encode()).hexdigest()[:8]
    directory = f"{recipe.CACHE}/base-{root.name}-{recipe.digest(root)}-{changing}"
    with CacheLock():
        emulator.ensure()
        if not os.path.isdir(directory):
            _build(directory, root, kernels, newer)
    return Image(directory)


def _build(directory, root, kernels, newer):
    begin = time.monotonic()
    say(f"building the image of a {root.debian} host with Linux "
        f"{', '.join(kernel.release for kernel in kernels.values())}: {directory}")
    if shutil.disk_usage(recipe.CACHE).free < 4 << 30:
        raise RigError(f"less than 4 GiB free in {recipe.CACHE}: make room or set PVSCHED_RIG_CACHE")
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=recipe.CACHE) as work:
        os.chmod(work, 0o755)
        tree, image = f"{work}/root", f"{work}/image"
        os.mkdir(image)
        bootstrap(root.suite, tree, work, newer, f"--include={','.join(recipe.packages('host'))}",
                  '--aptopt=APT::Install-Recommends "false"', *(f"--dpkgopt={option}" for option in _DPKG_OPTIONS))
        say(f"packages installed after {time.monotonic() - begin:.0f} s")
        _configure(tree, image)
        for series, kernel in kernels.items():
            kernels_of.add(kernel, tree, f"{work}/kernel", f"{image}/{series}-")
        _make_disk(tree, f"{image}/root.img")
        with open(f"{image}/image.json", "w", encoding="utf-8") as file:
            json.dump({"root": root.name, "suite": root.suite, "debian": root.debian,
                       "kernels": {series: kernel.release for series, kernel in kernels.items()}}, file)
        os.rename(image, directory)
    say(f"image built in {time.monotonic() - begin:.0f} s")


def _run(*argv, **kwargs):
    """A step whose output matters only if it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kwargs)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise RigError(f"{argv[0]} failed with {done.returncode}, see above")
    return done.stdout


def bootstrap(suite, tree, work, newer=(), *options):
    """Debian SUITE in the directory TREE, with options of mmdebstrap. newer: sources of which it takes the backports."""
    lines = archive.lines(suite) + (archive.lines(f"{suite}-backports") if newer else [])
    with open(f"{work}/sources.list", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *options]
    if newer:
        with open(f"{work}/newer.pref", "w", encoding="utf-8") as file:
            file.write(f"Package: {' '.join(f'src:{source}' for source in newer)}\n"
                       f"Pin: release n={suite}-backports\nPin-Priority: 990\n")
        argv.append(f"--setup-hook=install -D -m 644 {work}/newer.pref \"$1/etc/apt/preferences.d/newer.pref\"")
    argv += [f"--aptopt={option}" for option in archive.options()]
    _run(*argv, suite, tree, f"{work}/sources.list")


def _configure(root, image):
    for name in _MASKED:
        unit = f"{root}/etc/systemd/system/{name}"
        if not os.path.lexists(unit):
            os.symlink("/dev/null", unit)
    for target, path, mode in recipe.image_files():
        os.makedirs(os.path.dirname(root + target), exist_ok=True)
        shutil.copyfile(path, root + target)
        os.chmod(root + target, mode)
    _run("systemctl", f"--root={root}", "enable", "rig-setup.service", "rig-ready.service")
    # Which key may log in as root; it never leaves this machine.
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pvschedd-rig", "-f", f"{image}/key")
    os.makedirs(f"{root}/root/.ssh", mode=0o700, exist_ok=True)
    shutil.copy(f"{image}/key.pub", f"{root}/root/.ssh/authorized_keys")
    # Set on the kernel's command line, for each host its own.
    for name in ("etc/machine-id", "var/lib/dbus/machine-id"):
        if os.path.lexists(f"{root}/{name}"):
            os.unlink(f"{root}/{name}")
    with open(f"{root}/etc/machine-id", "w", encoding="ascii") as file:
        file.write("")


def _make_disk(root, path):
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, path, f"{DISK_GIB}G")
