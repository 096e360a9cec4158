# SPDX-License-Identifier: GPL-2.0-or-later
"""Two emulated hosts between which the guest migrates."""

from host import GUEST, Host

# libvirt's own port, on the segment that only emulated hosts see.
_LISTEN = """set -e
grep -q '^auth_tcp' /etc/libvirt/libvirtd.conf || echo 'auth_tcp = "none"' >>/etc/libvirt/libvirtd.conf
if ! systemctl is-active --quiet libvirtd-tcp.socket; then
	systemctl stop libvirtd.service
	systemctl start libvirtd-tcp.socket libvirtd.service
fi
"""


class Pair:
    """here: the host of all tests; there: another one of its kind, which boots when first used."""

    def __init__(self, here):
        self.here, self.there = here, Host(here.debian, here.kernel, f"{here.name}b")

    def prepare(self):
        for host in (self.here, self.there):
            host.ensure()
            host.run(_LISTEN)
        directory = self.here.run("cat /var/tmp/vm-guest.dir").strip()
        self.there.run(f"mkdir -p -m 755 '{directory}'")
        # libvirt looks up both names, and must not wait for a name server: there is none.
        for host in (self.here, self.there):
            for other in (self.here, self.there):
                host.run(f"grep -q ' {other.name}$' /etc/hosts || echo '{self._address(other)} {other.name}' >>/etc/hosts")

    @staticmethod
    def _address(host):
        with open(f"{host.machine().directory}/number", encoding="ascii") as file:
            return f"192.168.230.{file.read().strip()}"

    def migrate(self, source, target):
        address = self._address(target)
        source.run(f"virsh migrate --live '{GUEST}' qemu+tcp://{address}/system --migrateuri tcp://{address}", timeout=240)

    def come_home(self):
        """The guest is on the first host again, or nowhere: then the next test restores one."""
        if self.there.code(f"virsh domid '{GUEST}'") == 0:
            self.there.destroy_guest()
