# SPDX-License-Identifier: GPL-2.0-or-later
"""A bare Debian as a directory, and commands in it: scripts/debian-root."""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from . import archive, base, recipe
from .recipe import say
from ..proc import RigError, run

USAGE = """Usage: debian-root [OPTION...] -- COMMAND...

Runs a command as root in a bare Debian, which has only the packages of every Debian and those of --packages. Its
changes there are lost afterwards. It starts in a copy of this checkout, including uncommitted changes. It has the
network, /proc, /dev, and /sys with its cgroups. It has a mount namespace: no mount stays, however it ends.

  --suite SUITE          which Debian ({suites}; default: this machine's)
  --packages PURPOSE...  installs the packages of scripts/packages for these, with scripts/install-packages in it
  --write DIR            shows the directory there, too, under the same name; the command may write to it; may be
                         repeated
  --same-pids            no PID namespace: BPF programs see the TIDs of the first one, so that pvschedd would find no
                         thread in another. Processes that the command leaves running are then not ended
  --fresh                makes the Debian again; else that of an earlier call is used
  -h, --help             this text

Kept in {cache} (PVSCHED_RIG_CACHE), a directory for each suite and its purposes, of 0.2 to 1.5 GiB.
Exit codes: the command's; 125 no Debian could be made, 2 wrong usage.
"""

CHECKOUT = "/root/pvschedd"
FAILED, USAGE_WRONG = 125, 2

# As process 1 of a namespace: all that the command started ends with it. Where there is no overlay, a copy will do.
_ENTER = """set -eu
tree=$1 work=$2 checkout=$3 writable=$4
shift 4
mkdir -p "$work/upper" "$work/scratch" "$work/root"
if [ "$writable" = all ]; then
	mount --bind "$tree" "$work/root"
elif ! mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/scratch" "$work/root" 2>/dev/null; then
	cp -a --reflink=auto "$tree/." "$work/root/"
fi
cd "$work/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
cat /etc/resolv.conf >etc/resolv.conf
mkdir -p ".$checkout"
mount --bind "$work/checkout" ".$checkout"
while [ "$1" != -- ]; do
	mkdir -p ".$1"
	mount --bind "$1" ".$1"
	shift
done
shift
chroot . /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \\
	TERM="${TERM:-dumb}" DEBIAN_FRONTEND=noninteractive ${DEB_BUILD_OPTIONS:+"DEB_BUILD_OPTIONS=$DEB_BUILD_OPTIONS"} \\
	sh -c 'cd "$0"; "$@"' "$checkout" "$@"
"""


def _source_files():
    """The files that git does not ignore; in an unpacked archive, all except builds."""
    git = ["git", "-C", recipe.REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        return [name for name in run(*git).split("\0") if name and os.path.lexists(f"{recipe.REPOSITORY}/{name}")]
    except (RigError, FileNotFoundError):
        return [name for name in os.listdir(recipe.REPOSITORY) if not name.startswith(("build", ".git"))]


def _sweep():
    """Removes what earlier calls left that were killed: their locks are free."""
    for path in glob.glob(f"{recipe.CACHE}/run-*"):
        with contextlib.suppress(FileNotFoundError), open(f"{path}/lock", "w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path)


@contextlib.contextmanager
def _work():
    """(directory, lock) for one call. A process that has the lock open is alive; that may be the command itself."""
    os.makedirs(recipe.CACHE, mode=0o755, exist_ok=True)
    _sweep()
    with tempfile.TemporaryDirectory(prefix="run-", dir=recipe.CACHE) as work:
        os.chmod(work, 0o755)
        with open(f"{work}/lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.mkdir(f"{work}/checkout")
            subprocess.run(["xargs", "-0", "cp", "-a", "--parents", "-t", f"{work}/checkout"], cwd=recipe.REPOSITORY,
                           input="\0".join(_source_files()), text=True, check=True)
            yield work, lock


def _enter(tree, command, write=(), change=False, same_pids=False, **kwargs):
    """Exit status of a command in TREE. change: its changes stay there."""
    pids = [] if same_pids else ["--pid", "--fork", "--kill-child"]
    with _work() as (work, lock):
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", *pids, "--propagation", "private", "sh", "-c", _ENTER, "sh", tree, work, CHECKOUT, "all" if change else "none",
                *(os.path.abspath(path) for path in write), "--", *command]
        with subprocess.Popen(argv, pass_fds=[lock.fileno()], **kwargs) as process:
            try:
                return process.wait()
            except BaseException:
                process.kill()
                raise


def _digest(suite, purposes):
    hasher = hashlib.sha256("\n".join([suite, *archive.lines(suite)]).encode())
    for purpose in purposes:
        hasher.update(f"{purpose}: {recipe.packages(purpose)}\n".encode())
    for path in (os.path.abspath(__file__), f"{recipe.REPOSITORY}/scripts/install-packages"):
        with open(path, "rb") as file:
            hasher.update(file.read())
    return hasher.hexdigest()[:12]


def ensure(suite, purposes, fresh=False):
    """The directory of a Debian with the packages of these purposes; made if it is not there."""
    directory = f"{recipe.CACHE}/root-{suite}-{_digest(suite, purposes)}"
    # Without the lock, since an image that is being made holds it for minutes.
    with contextlib.suppress(FileNotFoundError):
        os.utime(directory)
        if not fresh:
            return directory
    with base.CacheLock():
        if fresh and os.path.isdir(directory):
            shutil.rmtree(directory)
        if not os.path.isdir(directory):
            _make(directory, suite, purposes)
    return directory


def _install(tree, purposes):
    """Uses the script that users run, which is tested thereby."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        code = _enter(tree, ["sh", "-ec", 'scripts/install-packages "$@" && apt-get clean', "sh", *purposes], change=True,
                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if code != 0:
            log.seek(0)
            sys.stderr.write(log.read())
            raise RigError(f"scripts/install-packages {' '.join(purposes)} failed in the bare Debian, see above")


def _make(directory, suite, purposes):
    begin = time.monotonic()
    say(f"making a bare Debian {suite}{' for ' if purposes else ''}{', '.join(purposes)}: {directory}")
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=recipe.CACHE) as work:
        os.chmod(work, 0o755)
        base.bootstrap(suite, f"{work}/root", work)
        if purposes:
            _install(f"{work}/root", purposes)
        os.rename(f"{work}/root", directory)
    say(f"Debian {suite} made in {time.monotonic() - begin:.0f} s")


def _parse(argv):
    """(suite, purposes, directories to write to, fresh, same pids, command); None if that is no usage of it."""
    if "--" not in argv:
        return None
    options, command = argv[:argv.index("--")], argv[argv.index("--") + 1:]
    suite, purposes, write, fresh, same_pids = archive.machine_suite(), [], [], False, False
    while options:
        option = options.pop(0)
        if option == "--fresh":
            fresh = True
        elif option == "--same-pids":
            same_pids = True
        elif option == "--suite" and options:
            suite = options.pop(0)
        elif option == "--write" and options:
            write.append(options.pop(0))
        elif option == "--packages" and options:
            while options and not options[0].startswith("-"):
                purposes.append(options.pop(0))
        else:
            return None
    return (suite, purposes, write, fresh, same_pids, command) if command and suite in recipe.SUITES else None


def main(argv):
    usage = USAGE.format(cache=recipe.CACHE, suites=", ".join(recipe.SUITES))
    if argv[:1] in (["-h"], ["--help"]):
        sys.stdout.write(usage)
        return 0
    parsed = _parse(argv)
    if not parsed:
        sys.stderr.write(usage)
        return USAGE_WRONG
    suite, purposes, write, fresh, same_pids, command = parsed
    try:
        if os.geteuid() != 0:
            raise RigError("only root can make a Debian: use sudo")
        if not shutil.which("mmdebstrap"):
            raise RigError("mmdebstrap is missing: scripts/install-packages vm")
        return _enter(ensure(suite, sorted(set(purposes)), fresh), command, write, same_pids=same_pids)
    except RigError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        return 130
