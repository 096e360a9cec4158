# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest pages and their hosts: whose they are, what a migration brings, what a dead host leaves."""

import os
import signal

from rig import proc
from rig.libvirtd import virsh
from test_guest_page import carrier, detail, page, region, renegotiate, wait_carrier

__all__ = ["page", "region"]  # fixtures


def test_the_same_memory_in_two_domains(scene, region):
    """The first one keeps it. The other is refused, and speaks for neither, until the first is gone."""
    name = f"pvsched-it-shared-{os.getpid()}"
    one = scene.domain("pvsched-it-1", page=name)
    daemon = scene.daemon()
    wait_carrier(daemon, one, "open")
    memory = region(one)
    memory.page().negotiate()
    generation = memory.generation
    two = scene.domain("pvsched-it-2", page=name)
    wait_carrier(daemon, two, "shared")
    generation = renegotiate(daemon, one, memory, generation, scene, "another domain with its memory")
    assert carrier(daemon, one)["state"] == "open"
    assert "page" not in detail(daemon, two)
    # nothing that happens to the other one disturbs it again
    virsh("reset", two.name)
    virsh("suspend", two.name)
    virsh("resume", two.name)
    daemon.wait_boosted(one)
    daemon.wait_boosted(two)
    assert memory.generation == generation and memory.page().status == "enabled"
    assert carrier(daemon, two)["state"] == "shared"
    virsh("destroy", one.name)
    wait_carrier(daemon, two, "open")
    memory.page().negotiate()


def test_a_region_of_another_host(scene, region, page):
    """Memory that came by a migration of which nothing was heard: the region is begun anew."""
    domain = scene.domain(page=page)
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    generation = memory.generation
    memory.write_generation(generation ^ 1)
    memory.page().hello(generation=generation ^ 1)
    proc.wait_for(lambda: memory.generation not in (0, generation, generation ^ 1), 10, "another generation")
    memory.page().negotiate()
    assert carrier(daemon, domain)["losses_total"] == 1


def enabled_and_boosted(scene, region):
    domain = scene.domain(page="memfd")
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    daemon.wait_boosted(domain)
    return domain, daemon, memory


def test_killed_daemon_tells_guests(scene, region):
    """Without a restart: its reader ends the pages."""
    domain, daemon, memory = enabled_and_boosted(scene, region)
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: memory.generation == 0, 5, "the guest to learn that the daemon is gone")
    proc.wait_for(lambda: memory.page().status == "disabled", 5, "the page to be disabled")
    assert domain.tids()


def test_killed_reader_and_daemon(scene, region):
    """Nothing that lives could tell the guest; --restore does, and the next start."""
    for end in ("restore", "start"):
        domain, daemon, memory = enabled_and_boosted(scene, region)
        generation = memory.generation
        reader = int(daemon.status()["sources"]["reader"]["detail"].split()[1].rstrip(",;"))
        os.kill(reader, signal.SIGSTOP)
        daemon.kill(signal.SIGSTOP)
        os.kill(reader, signal.SIGKILL)
        daemon.kill()
        daemon.reap()
        assert memory.generation == generation, "a dead daemon's last word is there"
        if end == "restore":
            result = daemon.restore()
            assert result.returncode == 0 and "1 regions ended" in result.stdout, result
            assert memory.generation == 0 and memory.page().status == "disabled"
        else:
            daemon.start()
            daemon.wait_log("1 regions of guest pages ended")
            renegotiate(daemon, domain, memory, generation, scene, "kill -9 of both")
            daemon.stop()
        domain.destroy()
