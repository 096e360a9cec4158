# SPDX-License-Identifier: GPL-2.0-or-later
"""The source tarball and the RPM packages that are built from it."""

import pathlib
import re

import pytest

# As users build it; and that the tests can be built, too, but those that have BPF programs of their own.
BUILD = """
apt-get purge -y -q --autoremove clang llvm bpftool libclang-rt-dev >/dev/null
if command -v clang || command -v bpftool; then exit 1; fi
mkdir /root/source && cd /root/source
tar --strip-components=1 -xf TARBALL
meson setup with-tests >&2
ninja -C with-tests tests/unit/test_policy >&2
with-tests/tests/unit/test_policy >&2
meson setup -Dtests=false build >&2
ninja -C build >&2
DESTDIR=/root/tree meson install --no-rebuild -C build >&2
/root/tree/usr/local/sbin/pvschedd --version
"""


@pytest.mark.parametrize("suite", ["trixie"])
def test_a_debian_without_clang_builds_it(suite, machine, tarball):
    said = machine.bare(suite, ("build", "deb"), BUILD.replace("TARBALL", str(tarball)), "--write", tarball.parent)
    version = tarball.name.removeprefix("pvschedd-").removesuffix(".tar.xz")
    assert said.splitlines()[-1] == f"pvschedd {version}"


def test_the_same_source_makes_the_same_tarball(machine, tarball, tmp_path):
    machine.script("tarball", "--output", tmp_path)
    assert (tmp_path / tarball.name).read_bytes() == tarball.read_bytes()


# ---- RPM packages: built, not run ----

def as_debian(name):
    """A file of an RPM package by the name that Debian gives it; None if it is of the packaging alone."""
    if re.match(r"/usr/share/(doc|licenses)/|/usr/lib/\.build-id", name):
        return None
    name = name.removeprefix("/usr") if name.startswith("/usr/lib/systemd/system/") else name
    name = name.replace("/usr/lib64/", "/usr/lib/x86_64-linux-gnu/").replace("/zsh/site-functions/", "/zsh/vendor-completions/")
    return f"{name}.gz" if re.match(r"/usr/share/man/.*\d$", name) else name


def rpm_files(machine, path):
    return {as_debian(line.split()[-1]) for line in machine.run(
        "rpm", "-qp", "--nosignature", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]", path).splitlines()
            if not line.startswith("d")} - {None}


def deb_files(machine, path):
    found = set()
    for line in machine.run("dpkg-deb", "--contents", path).splitlines():
        name = line.split(" -> ")[0].split()[-1][1:]
        if not line.startswith("d") and not name.startswith("/usr/share/doc/"):
            found.add(name.removeprefix("/usr") if name.startswith("/usr/lib/systemd/system/") else name)
    return found


@pytest.fixture(scope="module")
def packages(machine, tmp_path_factory):
    """{name of the RPM package: (its path, the path of Debian's)}"""
    where = tmp_path_factory.mktemp("rpm")
    rpms = machine.script("rpm", "--lint", "--maintainer", "pvschedd tests <tests@example.org>", "--output", where).split()
    debs = {pathlib.Path(path).name.partition("_")[0]: path for path in machine.script("deb").split()}
    names = {"pvschedd": "pvschedd", "pvsched-agent": "pvsched-agent", "libpvsched": "libpvsched1", "libpvsched-devel": "libpvsched-dev"}
    return {name: (next(path for path in rpms if re.match(rf"{name}-\d", pathlib.Path(path).name)), debs[deb])
            for name, deb in names.items()}


@pytest.mark.parametrize("name", ["pvschedd", "pvsched-agent", "libpvsched", "libpvsched-devel"])
def test_rpm_packages_have_the_files_of_debians(name, packages, machine):
    rpm, deb = packages[name]
    assert rpm_files(machine, rpm) == deb_files(machine, deb)


def test_rpm_names_configuration_version_and_packager(packages, machine, tarball):
    rpm, _ = packages["pvschedd"]
    assert machine.run("rpm", "-qpc", "--nosignature", rpm).split() == ["/etc/pvschedd/pvschedd.json"]
    version, packager = machine.run("rpm", "-qp", "--nosignature", "--qf", "%{VERSION}\n%{PACKAGER}", rpm).splitlines()
    assert tarball.name == f"pvschedd-{version}.tar.xz"
    assert packager == "pvschedd tests <tests@example.org>"
