# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the base image: Debian, both kernels, no pvschedd. Kept in the cache, never written again."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

from . import emulator, initramfs, recipe
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


def say(text):
    print(f"rig: {text}", file=sys.stderr, flush=True)


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


def newest():
    """Directory of the newest base image of this checkout's recipe, whatever its kernels; None without one."""
    found = [path for path in glob.glob(f"{recipe.CACHE}/base-{recipe.digest()}-*") if os.path.isdir(path)]
    return max(found, key=os.path.getmtime, default=None)


def ensure(offline=False):
    """Directory of the base image; made if it is not there. Offline: takes what is there, downloads nothing."""
    if offline:
        directory = newest()
        if not directory:
            raise RigError(f"no image of this checkout in {recipe.CACHE}: run scripts/rig build")
        return directory
    try:
        kernels = recipe.resolve_kernels()
    except RigError as error:
        directory = newest()
        if not directory:
            raise
        say(f"{error} Taking the image that is there.")
        return directory
    directory = f"{recipe.CACHE}/base-{recipe.digest()}-{recipe.kernels_digest(kernels)}"
    with CacheLock():
        if not os.path.isdir(directory):
            _build(directory, kernels)
    return directory


def _build(directory, kernels):
    begin = time.monotonic()
    say(f"building the image of a Debian {recipe.SUITE} host: {directory}")
    if shutil.disk_usage(recipe.CACHE).free < 4 << 30:
        raise RigError(f"less than 4 GiB free in {recipe.CACHE}: make room or set PVSCHED_RIG_CACHE")
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=recipe.CACHE) as work:
        os.chmod(work, 0o755)
        root, image = f"{work}/root", f"{work}/image"
        os.mkdir(image)
        os.mkdir(f"{work}/emulator")
        emulator.fetch(f"{work}/emulator", f"{image}/emulator")
        _bootstrap(root, work)
        say(f"packages installed after {time.monotonic() - begin:.0f} s")
        _configure(root, image)
        for series, (package, version) in kernels.items():
            _add_kernel(root, image, work, series, package, version)
        _make_disk(root, f"{image}/root.img")
        os.rename(image, directory)
    say(f"image built in {time.monotonic() - begin:.0f} s")


def _run(*argv, **kwargs):
    """A step whose output matters only if it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kwargs)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise RigError(f"{argv[0]} failed with {done.returncode}, see above")
    return done.stdout


def _bootstrap(root, work):
    sources = f"{work}/sources.list"
    with open(sources, "w", encoding="utf-8") as file:
        file.write("\n".join(recipe.sources()) + "\n")
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
            f"--include={','.join(recipe.packages('host'))}", '--aptopt=APT::Install-Recommends "false"']
    argv += [f"--aptopt={option}" for option in recipe.apt_options()]
    argv += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    _run(*argv, recipe.SUITE, root, sources)


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


def _add_kernel(root, image, work, series, package, version):
    """Unpacked and not installed: no boot loader, no initramfs hooks."""
    download = f"{work}/kernel-{series}"
    os.mkdir(download)
    shutil.chown(download, "_apt")
    _run("apt-get", "download", "-q", f"{package}={version}", cwd=download)
    (archive,) = os.listdir(download)
    unpacked = f"{work}/unpacked-{series}"
    _run("dpkg", "-x", f"{download}/{archive}", unpacked)
    (release,) = os.listdir(f"{unpacked}/lib/modules")
    shutil.move(f"{unpacked}/lib/modules/{release}", f"{root}/lib/modules/{release}")
    _run("chroot", root, "depmod", release)
    shutil.copy(f"{unpacked}/boot/vmlinuz-{release}", f"{image}/vmlinuz-{series}")
    shutil.copy(f"{unpacked}/boot/config-{release}", f"{root}/boot/config-{release}")
    initramfs.make(f"{root}/lib/modules/{release}", f"{root}/bin/busybox", f"{image}/initrd-{series}")


def _make_disk(root, path):
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, path, f"{DISK_GIB}G")
