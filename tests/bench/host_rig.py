# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the guest's scenes of `host` inside the emulated KVM host of scripts/rig, where vhost carries a guest's packets."""

import contextlib
import gzip
import os
import shutil
import tempfile

from rig.guest import guest_image
from rig.proc import RigError

from . import host_io, inside

IMAGE = "image"  # inside, from inside.INSIDE
# The programs that are installed there are those that are measured; its service would keep a second one from starting.
_PREPARE = f"""set -e
systemctl stop pvschedd
mkdir -p {inside.INSIDE}/build
ln -sf /usr/sbin/pvschedd /usr/bin/pvschedctl {inside.INSIDE}/build/
"""


@contextlib.contextmanager
def image_files(path):
    """[(path here, path inside)] of a guest's kernel and initramfs. An emulated CPU takes a minute to decompress a large
    one; so it is copied as it will be unpacked, and the kernel looks at what it is, not at its name."""
    with tempfile.NamedTemporaryFile() as unpacked:
        with gzip.open(f"{path}/initramfs.cpio.gz") as file:
            shutil.copyfileobj(file, unpacked)
        unpacked.flush()
        os.chmod(unpacked.name, 0o644)  # QEMU has a user of its own
        yield [(f"{path}/vmlinuz", f"{IMAGE}/vmlinuz"), (unpacked.name, f"{IMAGE}/initramfs.cpio.gz")]


def prepare(machine):
    """Its pvschedd as a program, not as a service: a benchmark starts one with its own configuration."""
    if machine.call(_PREPARE, timeout=60).returncode != 0:
        raise RigError("pvschedd could not be stopped in the emulated host, see above")


def measure(scenes, options, add):
    """As many rounds of SCENES as wanted, by add(round, what the machine is)."""
    if options.sitting == 0:
        return
    inside.choose("host", options)
    seconds = host_io.seconds_of(options)
    arguments = ["--seconds", str(seconds), "--slow", str(options.slow), "--guest-image", f"{inside.INSIDE}/{IMAGE}",
                 "--guest-type", "kvm"]
    arguments += [word for scene in scenes for word in ("--scene", scene)]
    arguments += [word for variant in options.variant or () for word in ("--variant", variant)]
    with image_files(guest_image(io=True)) as files:
        files.append(inside.program(options.build, "tests/bench/bench-waits"))
        inside.measure(inside.Job("host", arguments, len(host_io.rows_of(scenes)), seconds, files, prepare), options, add)
