# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of scripts/rig."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys

from . import base, product, recipe
from .machine import HostDied, Machine, names
from .recipe import say
from ..proc import RigError

USAGE = """Usage: rig COMMAND [OPTION...] [ARGUMENT...]

Runs a Debian host with systemd, libvirt and KVM inside QEMU, with pvschedd of this checkout installed from
its packages. If the hardware can nest KVM, that is used; else everything is emulated, the host's KVM, too.

  build                makes the image, if it is not in the cache: Debian, its kernels, pvschedd.
                       Only this command downloads (without an image, the others call it).
  boot                 boots a host, and waits until it is up
  run CMD...           runs a command in it, with its output and exit status. Boots the host if none runs.
                       One argument is a line for the shell, several are a program and its arguments.
  shell                opens a terminal in it
  copy FILE... DEST    copies files and directories into it; DEST is a directory if it ends with /
  copy --from FILE... DIR
                       copies files and directories out of it
  console              prints the output of its kernel
  list                 lists the hosts: name, running or dead, Debian, kernel, its exact version, accelerator
  clean [--all]        ends the host and removes its files; --all: every host
  clean --cache        removes the images, too

  --name NAME          which host (rig). Hosts see each other as 192.168.230.N on a network of their own.
  --host bookworm|trixie
                       which Debian (bookworm): Debian 12 with its own libvirt and QEMU, or Debian 13
  --kernel SERIES      which kernel. bookworm: 6.1 (default), 6.12, and with PREEMPT_RT 6.1-rt, 6.12-rt.
                       trixie: 6.12 (default), 6.18, and newest: kernel, QEMU and libvirt are what Debian's
                       backports had when the image was made. build: one image has all kernels of a Debian;
                       those with PREEMPT_RT have their own, and so has newest.
  --plain              boots the host without pvschedd
  --retries N          how often `run` boots again and repeats the command if the emulated host dies (2);
                       each time it prints the cause
  --timeout SECONDS    how long `run` waits for the command (no limit)
  --offline            build: downloads nothing, and fails without an image
  -h, --help           this text

Every boot lays an empty disk over the image: a host begins as the image is, and a dead host's changes are
lost. Inside there are rig-guest (small Linux guests under KVM; rig-guest --help), sched-snapshot and
/opt/pvschedd-rig/packages. Only root can use the rig, since only root can make a Debian.
Images are in {cache} (PVSCHED_RIG_CACHE): about 1 GiB each. Outdated images, and those
unused for a day, are removed when new ones are made. Packages: scripts/install-packages vm

Exit codes: 0 done, 1 failed, 2 wrong usage; run: the command's, or 125 when the host failed.
"""

FAILED, USAGE_WRONG, HOST_FAILED = 1, 2, 125


def _usage():
    sys.stderr.write(USAGE.format(cache=recipe.CACHE))
    return USAGE_WRONG


def ready_image(root, plain=False):
    """(image, disk to boot) of ROOT; made if they are not there."""
    image = base.ensure(root, offline=base.newest(root) is not None)
    return image, image.disk if plain else product.ensure(image)


def _check_asked(machine, host, kernel):
    """A running host must match the options, if any are given."""
    state = machine.state()
    if host in (None, state["host"]) and kernel in (None, state["kernel"]):
        return
    raise RigError(f"the host '{machine.name}' runs {state['text']} ({state['host']}, {state['kernel']}): "
                   f"scripts/rig clean --name {machine.name} first")


def boot(name="rig", kernel=None, plain=False, retries=2, host=None):
    """A running host: the one that is there, or a new one. HostDied after so many repeated deaths."""
    machine = Machine(name)
    if machine.running():
        _check_asked(machine, host, kernel)
        return machine
    root, kernel = recipe.choose(host, kernel)
    if machine.state():
        say(f"the emulated host '{name}' had died ({machine.cause_of_death()}): booting again")
    image, disk = ready_image(root, plain)
    for attempt in range(retries + 1):
        try:
            seconds = machine.start(image, disk=disk, kernel=kernel)
            say(f"host '{name}' is up after {seconds:.1f} s ({image.text(kernel)}, {machine.state()['accelerator']})")
            return machine
        except HostDied as error:
            if attempt == retries:
                raise
            say(f"{error}; booting again ({attempt + 1} of {retries})")
    raise AssertionError("not reached")


def _booted(args):
    return boot(args.name, args.kernel, args.plain, args.retries, args.host)


def _boot(args):
    machine = Machine(args.name)
    if machine.running():
        say(f"host '{args.name}' runs already")
    _booted(args)
    return 0


def _build(args):
    root, _ = recipe.choose(args.host, args.kernel)
    print(product.ensure(base.ensure(root, args.offline)))
    return 0


def _run(args):
    if not args.arguments:
        raise SystemExit(_usage())
    command = args.arguments[0] if len(args.arguments) == 1 else shlex.join(args.arguments)
    for attempt in range(args.retries + 1):
        machine = _booted(args)
        state = machine.state()
        try:
            return machine.call(command, timeout=args.timeout).returncode
        except HostDied as error:
            if attempt == args.retries:
                raise
            say(f"{error}; booting again and repeating the command ({attempt + 1} of {args.retries})")
            args.host, args.kernel = state["host"], state["kernel"]
        except subprocess.TimeoutExpired:
            raise RigError(f"the command did not end within {args.timeout:g} s; the host still runs") from None
    raise AssertionError("not reached")


def _shell(args):
    return _booted(args).remote().interactive()


def _copy(args):
    if len(args.arguments) < 2:
        raise SystemExit(_usage())
    *sources, target = args.arguments
    machine = _booted(args)
    if args.out:
        return 1 if machine.remote().fetch(sources, target) else 0
    for source in sources:
        if not os.path.exists(source):
            raise RigError(f"there is no {source}")
    return 1 if machine.remote().send(sources, target) else 0


def _console(args):
    sys.stdout.write(Machine(args.name).console())
    return 0


def _list(_args):
    for name in names():
        machine = Machine(name)
        state = machine.state()
        print(name, "running" if machine.running() else "dead",
              *(state.get(key, "-") for key in ("host", "kernel", "release", "accelerator")))
    return 0


def _clean(args):
    for name in (names() if args.all or args.cache else [args.name]):
        Machine(name).clean()
    if args.cache:
        shutil.rmtree(recipe.CACHE, ignore_errors=True)
    return 0


COMMANDS = {"build": _build, "boot": _boot, "run": _run, "shell": _shell, "copy": _copy, "console": _console,
            "list": _list, "clean": _clean}


def _parse(argv):
    parser = argparse.ArgumentParser(prog=f"rig {argv[0]}", add_help=False, allow_abbrev=False,
                                     usage="rig COMMAND [OPTION...] [ARGUMENT...]; see rig --help")
    parser.add_argument("--name", default="rig")
    parser.add_argument("--host", choices=recipe.SUITES)
    parser.add_argument("--kernel", choices=recipe.KERNELS)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--retries", type=int, default=2)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--from", dest="out", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--cache", action="store_true")
    # What comes after the options is the command's own, with its own options.
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv[1:])
    try:
        recipe.choose(args.host, args.kernel)
    except RigError as error:
        # Without options, a running host other than the default one may be meant.
        if args.host or not Machine(args.name).running():
            parser.error(str(error))
    return args


def main(argv):
    if argv and (argv[0] in ("-h", "--help", "help") or argv[1:2] in (["-h"], ["--help"])):
        sys.stdout.write(USAGE.format(cache=recipe.CACHE))
        return 0
    if not argv or argv[0] not in COMMANDS:
        sys.stderr.write(USAGE.format(cache=recipe.CACHE))
        return USAGE_WRONG
    args = _parse(argv)
    try:
        if os.geteuid() != 0:
            raise RigError("only root can make and boot the host: use sudo")
        return COMMANDS[argv[0]](args)
    except RigError as error:
        say(str(error))
        return HOST_FAILED if argv[0] == "run" else FAILED
    except KeyboardInterrupt:
        return 130
