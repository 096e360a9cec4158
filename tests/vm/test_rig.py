# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig's promise about dying hosts. After all others: it costs them their host."""

import os
import signal
import subprocess

import pytest

from rig.host.machine import HostDied


@pytest.mark.any_kernel
def test_death_of_the_kernel_is_noticed(host):
    machine = host.machine()
    pid = machine.state()["pid"]
    with pytest.raises(HostDied, match="Kernel panic|console"):
        machine.call("echo c > /proc/sysrq-trigger; sleep 60", timeout=120, stdin=subprocess.DEVNULL)
    assert not machine.running()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
