# SPDX-License-Identifier: GPL-2.0-or-later
"""A real libvirt guest on a loaded host: what demo and integration tests share. Standard library only.

The integration tests and the demo put `tests/` on sys.path and import `rig.guest` and its siblings.
"""
