# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest with what benchmarks have beside it: libvirtd, the daemon that was built, and the host's load."""

import contextlib

from rig import proc
from rig.daemon import Daemon
from rig.deadman import Deadman
from rig.guest import Guest
from rig.libvirtd import Libvirtd, running_domains
from rig.load import Load
from rig.proc import RigError

_BOOT_SECONDS = 90  # in an emulated host it takes up to a minute


@contextlib.contextmanager
def running(options, config, name, **guest):
    """Yields (daemon, guest, load): the guest is up, the daemon has CONFIG and knows it, the load is paused.

    options   of tests/bench/run: build, force
    guest     what Guest takes besides name
    """
    with contextlib.ExitStack() as undo:
        deadman = undo.enter_context(Deadman())
        undo.enter_context(Libvirtd(deadman))
        others = running_domains()
        if others and not options.force:
            raise RigError(f"other domains run, and this would disturb them: {', '.join(others)}; use --force")
        daemon = undo.enter_context(Daemon(options.build, config, deadman))
        made = Guest(name, deadman=deadman, **guest)
        undo.callback(made.destroy)
        made.create()
        made.wait_ready(_BOOT_SECONDS)
        tids = made.vcpu_tids().values()
        load = undo.enter_context(Load(next(iter(tids)), deadman=deadman))
        load.pause()
        proc.wait_for(lambda: set(tids) <= daemon.known_tids(), 20, f"pvschedd to find {name}")
        yield daemon, made, load
