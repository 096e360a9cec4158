# SPDX-License-Identifier: GPL-2.0-or-later
"""reaper.py COMMAND...: runs it, and is to its orphaned descendants what init is.

libvirt's QEMUs are orphans, and libvirt regards a destroyed one as gone only when it was reaped. The init of a
container may do so once in a second or two, and each test would wait as long.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def _prctl(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main(argv):
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        # A kill of this program is meant for the command, too.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvp(argv[0], argv)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    pid = status = 0
    while pid != child:
        pid, status = os.wait()
    return os.waitstatus_to_exitcode(status) & 0xff


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
