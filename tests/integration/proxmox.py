# SPDX-License-Identifier: GPL-2.0-or-later
"""What Proxmox has and makes: VMs by number, their cgroups, and their configurations in /etc/pve, which can hang."""

import contextlib
import ctypes
import os
import subprocess
import tempfile

from bare import Bare
from rig import proc

MNT_DETACH = 2


class Vm(Bare):
    """A VM as `qm start` starts it: its name here is its number, as for pvschedd."""

    def __init__(self, vmid, title="", **kwargs):
        slice_ = f"{proc.cpu_cgroup(os.getpid())[0]}/qemu.slice"
        os.makedirs(slice_, exist_ok=True)
        super().__init__(vmid, group=f"qemu.slice/{vmid}.scope", **kwargs)
        at = self._argv.index("-name")
        self._argv[at:at + 4] = ["-id", vmid, "-name", f"{title or f'vm{vmid}'},debug-threads=on", "-no-shutdown",
                                 "-smbios", f"type=1,uuid={self.uuid}"]

    def destroy(self):
        super().destroy()
        with contextlib.suppress(OSError):  # another VM is in it
            os.rmdir(os.path.dirname(self._group))

    @property
    def group(self):
        return self._group


class Pve:
    """A directory in the place of /etc/pve. Use as a context manager."""

    def __init__(self, deadman):
        self._deadman = deadman

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="pvsched-pve-", dir="/run")
        self._key = self._deadman.add(argv=["sh", "-c", f"umount -l {self.directory}; rm -rf {self.directory}"])
        os.mkdir(f"{self.directory}/qemu-server")
        self._fuse = None
        return self

    def __exit__(self, *_):
        self.answer()
        subprocess.run(["rm", "-rf", self.directory], check=True)
        self._deadman.remove(self._key)

    def write(self, vmid, **lines):
        """The configuration of a VM; a new file takes the place of the old one, as in Proxmox."""
        path = f"{self.directory}/qemu-server/{vmid}.conf"
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            file.write("#web, for the tests\ncores: 1\n")
            file.writelines(f"{key}: {value}\n" for key, value in lines.items())
            file.write("\n[before]\nname: before\ntags: before\n")
        os.rename(f"{path}.tmp", path)

    def hang(self):
        """From now on each look into it waits: a FUSE file system whose server answers nothing."""
        self._fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
        if libc.mount(b"pvsched", self.directory.encode(), b"fuse", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self._fuse)
            self._fuse = None
            raise OSError(error, os.strerror(error), self.directory)

    def answer(self):
        """It does not hang any more: those that wait fail, and the files are there again."""
        if self._fuse is None:
            return
        os.close(self._fuse)
        self._fuse = None
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.umount2(self.directory.encode(), MNT_DETACH) != 0:
            raise OSError(ctypes.get_errno(), "umount", self.directory)
