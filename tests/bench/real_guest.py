# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest with what benchmarks have beside it: libvirtd, the daemon that was built, and the host's load."""

import contextlib

from rig import proc
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest
from rig.libvirtd import Libvirtd, running_domains
from rig.load import PER_CPU, Load
from rig.proc import RigError

_BOOT_SECONDS = 90  # in an emulated host it takes up to a minute


@contextlib.contextmanager
def several(options, config, names, boot_s=_BOOT_SECONDS, per_cpu=PER_CPU, **guest):
    """Yields (daemon, guests, load): the guests are up, the daemon has CONFIG and knows them, the load is paused.

    options   of tests/bench/run: build, force
    names     of the guests, which are alike
    boot_s    within which the last one must be up
    per_cpu   busy loops of the load, for each CPU
    guest     what Guest takes besides name
    """
    with contextlib.ExitStack() as undo:
        deadman = undo.enter_context(Deadman())
        undo.enter_context(Libvirtd(deadman))
        others = running_domains()
        if others and not options.force:
            raise RigError(f"other domains run, and this would disturb them: {', '.join(others)}; use --force")
        daemon = undo.enter_context(Daemon(options.build, config, deadman))
        guests = []
        for name in names:
            made = Guest(name, deadman=deadman, **guest)
            undo.callback(made.destroy)
            made.create()
            guests.append(made)
        for made in guests:
            made.wait_ready(boot_s)
        tids = {tid for made in guests for tid in made.vcpu_tids().values()}
        load = undo.enter_context(Load(next(iter(guests[0].vcpu_tids().values())), per_cpu=per_cpu, deadman=deadman))
        load.pause()
        proc.wait_for(lambda: tids <= daemon.known_tids(), 20, f"pvschedd to find {', '.join(names)}")
        yield daemon, guests, load


@contextlib.contextmanager
def running(options, config, name, **guest):
    """Yields (daemon, guest, load), as several()."""
    with several(options, config, [name], **guest) as (daemon, (made,), load):
        yield daemon, made, load
