# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under test: rig.daemon.Daemon with what tests want to know and do."""

import json
import os
import re
import signal
import subprocess

import attributes
from rig import proc
from rig.daemon import Daemon, program


class Pvschedd(Daemon):
    """profile: the default profile; config: merged over {"host": {"grant_rt_budget": true}}."""

    def __init__(self, build_dir, deadman, profile="latency", config=None, prefix=(), env=None, options=(),
                 name="pvschedd"):
        self.build_dir = build_dir
        config = dict(config or {})
        config.setdefault("default_profile", profile)
        config["host"] = {"grant_rt_budget": True, **config.get("host", {})}
        super().__init__(build_dir, config, deadman, prefix=prefix, env=env, options=options, name=name)
        os.chmod(self.directory, 0o755)  # mkdtemp's 0700 would hide the socket's own permissions

    def start(self):
        super().start()
        return self

    def options(self):
        return ["--socket", f"{self.runtime_dir}/control.sock", "--state-dir", self.state_dir]

    def call(self, *words, user=None):
        """Runs pvschedctl; its subprocess.CompletedProcess, whatever its exit status."""
        argv = [program(self.build_dir, "pvschedctl"), *self.options(), *words]
        if user is not None:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    def status(self):
        # It exits with 1 where there is no tracer.
        return json.loads(self.ctl("status", "--json", check=False))

    def vcpu(self, domain, index=0):
        """Its object in `status --json`, or None."""
        for vcpu in self.status()["vcpus"]:
            if vcpu["domain"] == domain.name and vcpu["vcpu"] == index:
                return vcpu
        return None

    def wait_vcpu(self, domain, accept, what, index=0, seconds=10):
        """Until accept(object of the vCPU) holds; that object."""
        last = {}

        def look():
            vcpu = self.vcpu(domain, index)
            last["seen"] = vcpu
            return vcpu if vcpu and accept(vcpu) else None

        try:
            return proc.wait_for(look, seconds, what)
        except proc.RigError as error:
            raise proc.RigError(f"{error}; last seen {last.get('seen')}; log: {self.log()[-3000:]}") from None

    def wait_known(self, domain, index=0, seconds=10):
        return self.wait_vcpu(domain, lambda v: True, f"{domain.name}, vCPU {index}, to be discovered", index, seconds)

    def wait_boosted(self, domain, index=0, seconds=10):
        """Until it is boosted, by its word and by the kernel's."""
        return self.wait_vcpu(domain, lambda v: v["state"] in ("armed", "boosted") and attributes.boosted(v["tid"]),
                              f"{domain.name}, vCPU {index}, to be boosted", index, seconds)

    def wait_reason(self, domain, reason, index=0, seconds=10):
        return self.wait_vcpu(domain, lambda v: v["reason"] == reason, f"{domain.name} to have the reason {reason}",
                              index, seconds)

    def wait_log(self, pattern, seconds=10):
        return proc.wait_for(lambda: re.search(pattern, self.log()), seconds, f"/{pattern}/ in the daemon's log")

    def names(self):
        return {domain["name"] for domain in self.ctl_json("list")["domains"]}

    def guardian(self):
        """Its pid, or None while none answers."""
        match = re.fullmatch(r"pid (\d+)", self.status()["sources"]["guardian"]["detail"])
        return int(match[1]) if match else None

    def kill(self, sig=signal.SIGKILL):
        """A signal to the daemon process alone; it is not waited for."""
        os.kill(self.process.pid, sig)

    def reap(self, seconds=10):
        status = self.process.wait(seconds)
        self.process = None
        self._deadman.remove(self._key)
        return status

    def kill_both(self):
        """The daemon and its guardian. It must not see the daemon die, so the daemon is stopped first."""
        guardian = self.guardian()
        self.kill(signal.SIGSTOP)
        os.kill(guardian, signal.SIGKILL)
        self.kill()
        self.reap()

    def restore(self, prefix=()):
        """`pvschedd --restore` on its ledger, by a command that executes it."""
        return subprocess.run([*prefix, program(self.build_dir, "pvschedd"), "--restore", "--runtime-dir", self.runtime_dir],
                              capture_output=True, text=True, timeout=30, check=False)

    def check_config(self, path=None):
        return subprocess.run([program(self.build_dir, "pvschedd"), "--check-config", "--config",
                               path or self.config_path], capture_output=True, text=True, timeout=30, check=False)

    def rewrite(self, config):
        config = dict(config)
        config["host"] = {"grant_rt_budget": True, **config.get("host", {})}
        self.write_config(config)
