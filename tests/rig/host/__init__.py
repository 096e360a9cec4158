# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian host with systemd, libvirt and KVM inside QEMU: see `scripts/rig --help`.

recipe.py says which hosts there are and what their images are made of, archive.py asks Debian's archives, base.py makes
an image with kernels.py and initramfs.py, emulator.py has the QEMU for it, product.py puts pvschedd on it, machine.py
boots it, remote.py runs commands in it. The commands of scripts/rig are in commands.py.
"""
