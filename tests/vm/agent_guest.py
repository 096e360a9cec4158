# SPDX-License-Identifier: GPL-2.0-or-later
"""A small real guest with pvsched-agent from its package, on the emulated host: no vsock device until one is attached."""

import json
import os
import re

from rig.host.agent_guest import agent_image

NAME = "vm agent:1"
DROP_IN = "/etc/systemd/system/pvschedd.service.d/guest-pages.conf"
PLACE = "/opt/pvschedd-rig"
HOST_CPU = 1  # of the vCPU that competes
VCPU = 1      # which competes
# A second of the guest's time is the lease of a word. An emulated host stands still for seconds while this machine does
# other things, so what is asserted is this many times as much; what it took is printed.
LEASE_S, MARGIN = 1, 5
# Only what the guest says boosts, and interrupts, which serve ordinary work, too, say nothing.
URGENT_ONLY = json.dumps({"policies": ["urgent-only"], "hints": {"interrupts": False}}, separators=(",", ":"))
# What the guest can do on the vCPU that competes: most of its time, so that its host CPU has two that want it.
ORDINARY = f"background busy 20000 25000 3600 {VCPU}"
REAL_TIME = f"background fifo 20000 25000 3600 {VCPU}"
# Shell tests: a vCPU is urgent by its guest's words; the words of an agent are read.
IS_URGENT = f"pvschedctl --json show '{NAME}' | grep -q '\"request\":\"urgent\"'"
AGENT_HEARD = f"pvschedctl --json show '{NAME}' | grep -q '\"agent\":true'"


class AgentGuest:
    """The guest on one host; found again there by each test, booted when it is not there."""

    def __init__(self, host, debian=None, kernel=None):
        """debian, kernel: whose kernel it runs, as scripts/rig --help has them; the host's own by default."""
        self.host = host
        self._image = agent_image(debian or host.debian, kernel or host.kernel)
        self.image = f"{PLACE}/{os.path.basename(self._image)}"

    # ---- the host ----

    def send_image(self, host=None):
        host = host or self.host
        if host.code(f"test -e {self.image}/vmlinuz") != 0:
            assert host.machine().remote().send([self._image], f"{PLACE}/") == 0

    @staticmethod
    def enable_pages(host):
        """The daemon under its unit as shipped, with the drop-in for guest pages."""
        if host.code(f"test -e {DROP_IN}") != 0:
            host.run(f"install -Dm644 /usr/share/pvschedd/guest-pages.conf {DROP_IN} && systemctl daemon-reload")
            host.restart()

    @staticmethod
    def put_back(host):
        host.run(f"virsh destroy '{NAME}'; rm -f {DROP_IN}; rmdir --ignore-fail-on-non-empty $(dirname {DROP_IN}); "
                 "systemctl daemon-reload; systemctl reset-failed pvschedd; systemctl restart pvschedd", check=False)

    def ensure(self):
        """It runs, with this kernel, and the daemon knows it."""
        self.enable_pages(self.host)
        if self.host.code(f"virsh dumpxml '{NAME}' | grep -q {self.image}/vmlinuz") != 0:
            self.host.destroy_guest()  # there is no memory for two
            self.host.run(f"virsh destroy '{NAME}'", check=False)
            self.send_image()
            self.host.run(f"rig-guest start '{NAME}' --image {self.image} --vcpus 2 --max-vcpus 3", timeout=480)
        self.host.wait_for(f"pvschedctl show '{NAME}' >/dev/null 2>&1", "the guest to be discovered")

    # ---- the guest ----

    def ask(self, *commands, timeout=200):
        """The answer of the last of these commands."""
        text = self.host.run(f"rig-guest ask '{NAME}' '{' ; '.join(commands)}'", timeout=timeout)
        return json.loads(text.splitlines()[-1])

    def status(self):
        """What its agent says of itself."""
        return self.ask("agent status")["status"]

    def serve(self, settings="{}"):
        """An agent with these settings is served. Microseconds from its start until it knew, by the guest's clock."""
        if not self.shown()["agent"]["cids"]:
            self.attach_device()
        try:
            took = self.ask("agent stop", f"agent settings {settings}", "agent start 60")["us"]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shown()['agent']}\n{self.ask('agent log')}") from None
        self.wait_state("served")
        return took

    def is_unplugged(self):
        """No agent runs, and there is no device."""
        self.ask("agent stop", "stop", "agent settings {}")
        if self.shown()["agent"]["cids"]:
            self.detach()

    def xml(self):
        """Its running definition."""
        return self.host.run(f"virsh dumpxml '{NAME}'")

    # ---- the daemon ----

    def shown(self):
        return self.host.ctl(f"show '{NAME}'")["domain"]

    def vcpu(self):
        return next(vcpu for vcpu in self.shown()["vcpus"] if vcpu["vcpu"] == VCPU)

    def policy(self, profile):
        self.host.run(f"pvschedctl policy set '{NAME}' {profile}")

    @staticmethod
    def state_is(state):
        """A shell test: the agent is in that state, by the daemon."""
        return f"pvschedctl --json show '{NAME}' | grep -q '\"agent\":{{\"state\":\"{state}\"'"

    def wait_state(self, state, seconds=60):
        try:
            self.host.wait_for(self.state_is(state), f"the agent to be {state}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shown()['agent']}\n{self.ask('agent log')}") from None

    def timed(self, command, until, host=None):
        """Milliseconds from the end of a shell command until a shell test succeeds, by the clock of a host; the test takes
        some of them. Both run there, since each call from here takes long."""
        text = (host or self.host).run(f"{command} >/dev/null || exit 1; a=$(date +%s%N); for i in $(seq 600); do if {until}; then "
                             "echo took $(( ($(date +%s%N) - a) / 1000000 )); exit 0; fi; done; exit 9", timeout=200)
        return int(re.search(r"took (\d+)", text)[1])

    def attach_device(self):
        return self.host.run(f"pvschedctl attach '{NAME}' --agent --live")

    def attach(self):
        """Milliseconds from the answer until the guest's hints are used."""
        return self.timed(f"pvschedctl attach '{NAME}' --agent --live", self.state_is("served"))

    def detach(self):
        self.host.run(f"pvschedctl detach '{NAME}' --agent --live")

    def agree(self):
        """Daemon and agent say the same of what they agreed on, while nothing is boosted."""
        self.host.wait_for("pvschedctl --json status | grep -q '\"boosted_now\":0[,}]'", "all boosts to be given back")
        n = len(self.shown()["vcpus"])
        self.host.wait_for(f"rig-guest ask '{NAME}' agent status | grep -o '\"status\": \"enabled\"' | grep -c . | grep -qx {n}",
                           "the host to have said something of each CPU")
        host, guest = self.shown(), self.status()
        channel, said = guest["channel"], host["agent"]
        assert said["state"] == "served" and channel["served"], (said, channel)
        assert (said["policy"], said["policy_version"]) == (channel["policy"]["name"], channel["policy"]["version"])
        assert said["pages"] == channel["pages_found"] == len(host["vcpus"]), (said, channel)
        assert int(said["generation"], 16) == int(channel["generation"], 16)
        assert (said["version"], said["unavailable"]) == (guest["version"], guest["tracer"]["sections_unavailable"])
        assert guest["tracer"]["attached"], guest["tracer"]
        online = [cpu for cpu in guest["cpus"] if cpu["online"]]
        assert {vcpu["page"]["status"] for vcpu in host["vcpus"]} == {cpu["status"] for cpu in online} == {"enabled"}
        # what was boosted is told within 100 ms
        assert [(cpu["boosts"], cpu["boosted"]) for cpu in online] == \
            [(vcpu["boosts_total"], False) for vcpu in host["vcpus"]], (host, guest)

    def boosts(self, seconds):
        """How often the vCPU was boosted in so long."""
        before = self.vcpu()["boosts_total"]
        self.host.run(f"sleep {seconds}")
        return self.vcpu()["boosts_total"] - before

    # ---- a vCPU that competes ----

    def compete(self):
        """An ordinary thread of the host takes half of the CPU that one vCPU is pinned to."""
        self.host.run(f"virsh vcpupin '{NAME}' {VCPU} {HOST_CPU}; systemd-run -q --unit=vm-spinner --slice=machine.slice "
                      f"-p CPUAffinity={HOST_CPU} sh -c 'while :; do :; done'")

    def settle(self):
        """As at first, but for the device and the agent."""
        self.host.run(f"systemctl stop vm-spinner; virsh vcpupin '{NAME}' {VCPU} 0-1; "
                      f"pvschedctl policy set '{NAME}' observe; rig-guest ask '{NAME}' stop", check=False)
