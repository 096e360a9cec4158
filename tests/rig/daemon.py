# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedd in the foreground with directories of its own, and pvschedctl to speak to it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

from . import proc
from .deadman import NoDeadman
from .proc import RigError
from .started import Started


def program(build_dir, name):
    """Path of a built program, wherever meson put it in its build directory."""
    for path in (f"{build_dir}/{name}", f"{build_dir}/src/{name}", f"{build_dir}/src/ctl/{name}",
                 f"{build_dir}/tests/policies/{name}"):
        if os.path.isfile(path):
            return path
    raise RigError(f"there is no {name} in {build_dir}: build it with `meson compile -C {build_dir}`")


def installed_profile(build_dir, domain, socket="/run/pvschedd/control.sock"):
    """What a pvschedd that runs here as a service gives DOMAIN; None if there is none, or if it is disabled."""
    def ask(*words):
        return json.loads(proc.run(program(build_dir, "pvschedctl"), "--socket", socket, "--json", *words))

    def profile():
        return next((found["profile"] for found in ask("list")["domains"] if found["name"] == domain), None)

    try:
        if not ask("status")["enabled"]:
            return None
        return proc.wait_for(profile, 10, f"the pvschedd of this host to find {domain}", step=0.2)
    except RigError:
        return None  # none answers, or it does not look for such domains


class Daemon(Started):
    """Context manager: runs BUILD_DIR/pvschedd until it says "ready"; ends it at the end.

    config    what goes into its configuration file besides "version": 1
    prefix    a command that starts it, such as setpriv
    env       added to its environment
    options   added to its command line
    name      of the program: pvschedd, or one of its variants for tests
    """

    def __init__(self, build_dir, config=None, deadman=None, prefix=(), env=None, options=(), name="pvschedd"):
        self._options = list(options)
        self._prefix = list(prefix)
        self._env = {**os.environ, **(env or {})}
        self._pvschedd = program(build_dir, name)
        self._pvschedctl = program(build_dir, "pvschedctl")
        self._deadman = deadman or NoDeadman()
        self._key = None
        self.process = None
        self.directory = tempfile.mkdtemp(prefix="pvschedd-", dir="/run")
        self.runtime_dir = f"{self.directory}/run"
        self.state_dir = f"{self.directory}/state"
        self.log_path = f"{self.directory}/log"
        self.config_path = f"{self.directory}/pvschedd.json"
        self._directory_key = self._deadman.add(argv=["rm", "-rf", self.directory])
        for directory in (self.runtime_dir, self.state_dir):
            os.mkdir(directory, 0o755)
        self.write_config(config or {})

    def add_env(self, **env):
        """For the next start."""
        self._env.update(env)

    def write_config(self, config):
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump({"version": 1, **config}, file, indent="\t")

    def start(self):
        with open(self.log_path, "ab") as log:
            start = log.tell()
            self.process = subprocess.Popen(
                [*self._prefix, self._pvschedd, "--config", self.config_path, "--runtime-dir", self.runtime_dir,
                 "--state-dir", self.state_dir, *self._options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self._env)
        self._key = self._deadman.add(pid=self.process.pid)
        proc.wait_for(lambda: self._ready(start), 20, "pvschedd to say that it is ready")

    def _ready(self, start):
        if self.process.poll() is not None:
            raise RigError(f"pvschedd ended with {self.process.returncode} at its start: {self.log()[-2000:]}")
        return "is ready" in self.log()[start:]

    def log(self):
        return proc.read(self.log_path)

    def ctl(self, *words, check=True):
        """Output of pvschedctl as text."""
        if self.process is None or self.process.poll() is not None:
            status = None if self.process is None else self.process.returncode
            raise RigError(f"pvschedd does not run (exit status {status}); its last words: {self.log()[-2000:]}")
        return proc.run(self._pvschedctl, "--socket", f"{self.runtime_dir}/control.sock", *words, check=check)

    def ctl_json(self, *words):
        return json.loads(self.ctl(*words, "--json"))

    def known_tids(self):
        """Threads of all vCPUs that it watches."""
        return {vcpu["tid"] for vcpu in _vcpus(self.ctl_json("status"))}

    def boosted_ns(self, tids):
        """Time that the threads TIDS together ran boosted since the daemon knows them."""
        return sum(vcpu.get("boosted_ns", 0) for vcpu in _vcpus(self.ctl_json("status")) if vcpu["tid"] in tids)

    def stop(self, sig=signal.SIGTERM, seconds=20):
        """Ends it; returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                print(f"pvschedd {self.process.pid} did not end within {seconds} s of {sig.name}: killing it")
                self.process.kill()
                self.process.wait()
        status = self.process.returncode
        self.process = None
        self._deadman.remove(self._key)
        return status

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            self._deadman.remove(self._directory_key)


def _vcpus(tree):
    """All objects with a "tid" and an "boosted_ns", wherever the status has them."""
    if isinstance(tree, dict):
        if "tid" in tree and "boosted_ns" in tree:
            yield tree
        tree = tree.values()
    elif not isinstance(tree, list):
        return
    for branch in tree:
        yield from _vcpus(branch)
