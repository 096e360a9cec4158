# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/demo asks the pvschedd that runs as a service what it gives the demo's guest. tests/release runs the demo."""

from rig.daemon import installed_profile


def test_it_knows_what_the_service_gives_its_guest(scene):
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    socket = f"{daemon.runtime_dir}/control.sock"
    assert installed_profile(scene.build_dir, domain.name, socket) == "observe"
    daemon.ctl("policy", "set", domain.name, "latency")
    assert installed_profile(scene.build_dir, domain.name, socket) == "latency"
    daemon.ctl("disable")
    assert installed_profile(scene.build_dir, domain.name, socket) is None
    daemon.ctl("enable")
    daemon.stop()
    assert installed_profile(scene.build_dir, domain.name, socket) is None
