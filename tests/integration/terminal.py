# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedctl on a terminal."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

from rig import proc
from rig.daemon import program

ROWS, COLUMNS = 24, 80


class Terminal:
    """pvschedctl on a pseudo-terminal. What it writes is kept; `settings` is what it must leave."""

    def __init__(self, daemon, *words, env=None):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._slave, self.text = slave, ""
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([program(daemon.build_dir, "pvschedctl"), *daemon.options(), *words], stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", **(env or {})})

    def _read(self):
        while select.select([self._master], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                self.text += os.read(self._master, 65536).decode("utf-8", "replace")

    def wait(self, word, seconds=15):
        """Until it has written that since the last call; all that it wrote since."""
        def look():
            self._read()
            return word in self.text
        try:
            proc.wait_for(look, seconds, f"'{word}' on the terminal")
        except proc.RigError as error:
            raise proc.RigError(f"{error}; it shows {self.text[-3000:]!r}") from None
        text, self.text = self.text, ""
        return text

    def type(self, keys):
        os.write(self._master, keys.encode())

    def end(self, seconds=10):
        """Its exit status, when it has ended by itself."""
        status = self.process.wait(seconds)
        self._read()
        return status

    def is_as_before(self):
        return termios.tcgetattr(self._slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)
