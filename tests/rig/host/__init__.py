# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 host with systemd, libvirt and KVM inside QEMU: see `scripts/rig --help`.

recipe.py says what the image is made of, base.py makes it, product.py puts pvschedd on it, machine.py boots it,
remote.py runs commands in it. The commands of scripts/rig are in commands.py.
"""
