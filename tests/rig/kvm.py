# SPDX-License-Identifier: GPL-2.0-or-later
"""Can this machine run a Linux guest under KVM? Found out by booting one.

/dev/kvm alone says little: on some machines it runs firmware and no Linux. The verdict is kept in /run until the next
boot.
"""

import grp
import os
import pwd
import select
import subprocess
import time

from . import proc

VERDICT_FILE = "/run/pvschedd-rig/kvm-verdict"
PROBE_SECONDS = 15


def as_qemu_user():
    """Arguments of subprocess for running something as libvirt runs QEMU on Debian."""
    user = pwd.getpwnam("libvirt-qemu")
    groups = [user.pw_gid] + [group.gr_gid for group in grp.getgrall() if user.pw_name in group.gr_mem]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}


def kvm_accessible():
    """True if libvirt's QEMU may open /dev/kvm."""
    return subprocess.run(["test", "-r", "/dev/kvm", "-a", "-w", "/dev/kvm"], check=False,
                          **as_qemu_user()).returncode == 0


def kvm_works(image):
    """True if the guest image boots to its command server under KVM within PROBE_SECONDS."""
    if not kvm_accessible():
        return False
    boot = proc.read("/proc/sys/kernel/random/boot_id").strip()
    try:
        known_boot, verdict = proc.read(VERDICT_FILE).split()
        if known_boot == boot:
            return verdict == "kvm"
    except (OSError, ValueError):
        pass
    works = _boots(image)
    os.makedirs(os.path.dirname(VERDICT_FILE), mode=0o755, exist_ok=True)
    temporary = f"{VERDICT_FILE}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"{boot} {'kvm' if works else 'tcg'}\n")
    os.replace(temporary, VERDICT_FILE)
    return works


def _boots(image):
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-machine", "pc,accel=kvm", "-m", "256", "-nodefaults", "-display", "none",
         "-no-reboot", "-serial", "stdio", "-serial", "null", "-kernel", f"{image}/vmlinuz",
         "-initrd", f"{image}/initramfs.cpio.gz", "-append", "console=ttyS0 panic=-1 quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        preexec_fn=proc.die_with_parent, **as_qemu_user())
    seen = b""
    deadline = time.monotonic() + PROBE_SECONDS
    try:
        while b"guest-commands: ready" not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([qemu.stdout], [], [], left)[0]:
                return False
            chunk = os.read(qemu.stdout.fileno(), 65536)
            if not chunk:
                return False
            seen += chunk
        return True
    finally:
        qemu.kill()
        qemu.wait()
        qemu.stdout.close()
