# SPDX-License-Identifier: GPL-2.0-or-later
"""A journal of the test's own: the daemon finds its socket where journald's would be, in a mount namespace of its own."""

import contextlib
import os
import socket
import tempfile
import threading

PLACE = "/run/systemd/journal"


class Journal:
    """records: those that came, each {field: value}. Messages are also written to the daemon's log, as journald's readers
    would see them; `prefix` and `env` are for the daemon that shall use it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="pvsched-journal-", dir="/run")
        self.records = []
        self.log_path = None
        self._made = [path for path in ("/run/systemd", PLACE) if not os.path.isdir(path)]
        os.makedirs(PLACE, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"{self.directory}/socket")
        self.prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {self.directory} {PLACE} && exec "$@"', "sh"]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def serve(self, daemon):
        """Has that daemon, which is not started yet, take its log for the journal's stream."""
        self.log_path = daemon.log_path
        with open(self.log_path, "ab") as log:
            stat = os.fstat(log.fileno())
        daemon.add_env(JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}")

    def _read(self):
        while True:
            data = self._socket.recv(1 << 20)
            if not data:
                return
            fields = dict(line.split("=", 1) for line in data.decode("utf-8").splitlines())
            self.records.append(fields)
            with contextlib.suppress(FileNotFoundError), open(self.log_path, "a", encoding="utf-8") as log:
                log.write(fields["MESSAGE"] + "\n")

    def about(self, domain, message_id):
        return [record for record in list(self.records)
                if record.get("PVSCHED_DOMAIN") == domain.name and record.get("MESSAGE_ID") == message_id]

    def close(self):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as last:
            last.sendto(b"", f"{self.directory}/socket")
        self._thread.join(5)
        self._socket.close()
        os.unlink(f"{self.directory}/socket")
        os.rmdir(self.directory)
        for path in reversed(self._made):
            with contextlib.suppress(OSError):
                os.rmdir(path)
