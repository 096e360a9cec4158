# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands inside an emulated host, by ssh over a port that QEMU forwards from the loopback interface."""

import os
import shlex
import subprocess

# What ssh itself says when the connection, and not the command, failed.
CONNECTION_LOST = 255


class Remote:
    """How to reach one host. directory holds the socket of the kept connection."""

    def __init__(self, port, key, directory):
        self.port, self._key, self._directory = port, key, directory

    def _ssh(self, *options):
        return ["ssh", "-F", "none", "-i", self._key, "-p", str(self.port), "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                "-o", "ControlMaster=auto", "-o", f"ControlPath={self._directory}/ssh", "-o", "ControlPersist=600",
                "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6",
                *options, "root@127.0.0.1"]

    def call(self, command, **kwargs):
        """Runs a shell command inside; stdin, stdout and stderr as subprocess.run() is told."""
        return subprocess.run([*self._ssh("-T"), "--", command], check=False, **kwargs)

    def interactive(self, command=None):
        """A terminal inside; its exit status."""
        return subprocess.run([*self._ssh("-t"), *(["--", command] if command else [])], check=False).returncode

    def send(self, sources, target):
        """Copies files and directories into the directory TARGET, which is made, or to the file TARGET."""
        if not target.endswith("/") and len(sources) == 1 and os.path.isfile(sources[0]):
            with open(sources[0], "rb") as file:
                mode = os.stat(sources[0]).st_mode & 0o777
                quoted = shlex.quote(target)
                return self.call(f"mkdir -p \"$(dirname {quoted})\" && [ ! -d {quoted} ] && cat > {quoted} "
                                 f"&& chmod {mode:o} {quoted}", stdin=file).returncode
        argv = ["tar", "-cf", "-"]
        for source in sources:
            argv += ["-C", os.path.dirname(os.path.abspath(source)), os.path.basename(os.path.abspath(source))]
        quoted = shlex.quote(target)
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as tar:
            code = self.call(f"mkdir -p {quoted} && tar -xf - --no-same-owner -C {quoted}",
                             stdin=tar.stdout).returncode
        return code or tar.returncode

    def fetch(self, sources, target):
        """Copies files and directories of the host into the directory TARGET here."""
        os.makedirs(target, exist_ok=True)
        pairs = " ".join(f"-C \"$(dirname {shlex.quote(source)})\" \"$(basename {shlex.quote(source)})\""
                         for source in sources)
        with subprocess.Popen([*self._ssh("-T"), "--", f"tar -cf - {pairs}"], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) as ssh:
            code = subprocess.run(["tar", "-xf", "-", "--no-same-owner", "-C", target], stdin=ssh.stdout,
                                  check=False).returncode
        return ssh.returncode or code

    def close(self):
        """Ends the kept connection, if there is one."""
        if os.path.exists(f"{self._directory}/ssh"):
            subprocess.run([*self._ssh("-O", "exit")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False, timeout=10)
