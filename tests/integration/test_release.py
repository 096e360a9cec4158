# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/release makes of packages that are there, and what scripts/tarball makes: no daemon, no thread.

The suite `release` builds the packages, and installs them in bare Debians.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITES = {"bookworm": "0.1.0+deb12u1", "trixie": "0.1.0+deb13u1"}
MAINTAINER = "pvschedd tests <tests@example.org>"

# Shows a command this machine without clang and bpftool: no file of theirs can be executed.
HIDE = """set -e
for file in /usr/bin/clang* /usr/lib/llvm-*/bin/clang* /usr/sbin/bpftool /usr/lib/linux-tools*/bpftool; do
	[ ! -f "$file" ] || readlink -f "$file"
done | sort -u | while read -r file; do
	mount --bind /dev/null "$file"
done
if clang --version 2>/dev/null || bpftool version 2>/dev/null; then exit 1; fi
exec "$@"
"""


def run(*argv, code=0, **kwargs):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == code, f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{suite: directory of a package that has nothing but a name and a version}"""
    made = {}
    for suite, version in SUITES.items():
        tree = tmp_path_factory.mktemp("tree")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: pvschedd\nVersion: {version}\nArchitecture: amd64\nMaintainer: {MAINTAINER}\nDescription: test\n",
            encoding="utf-8")
        made[suite] = tmp_path_factory.mktemp(suite)
        run("dpkg-deb", "--root-owner-group", "--build", tree, made[suite] / f"pvschedd_{version}_amd64.deb")
    return made


@pytest.fixture(scope="module")
def tarball(tmp_path_factory):
    return pathlib.Path(run(ROOT / "scripts/tarball", "--output", tmp_path_factory.mktemp("tarball")).strip())


def release(directory, packages, *options, **kwargs):
    return run(ROOT / "scripts/release", directory, *options,
               *(f"--packages={suite}={where}" for suite, where in packages.items()), **kwargs)


@pytest.fixture(scope="module")
def released(tmp_path_factory, packages, tarball):
    """(release without a key, what the program said)"""
    directory = tmp_path_factory.mktemp("parent") / "release"
    return directory, release(directory, packages, "--source", tarball)


def unpacked(directory, where):
    run("dpkg-deb", "--raw-extract", directory / "pvschedd-archive.deb", where)
    return where


def verify(keyring, *files, code=0):
    run("gpgv", "--keyring", keyring, *files, code=code)


def digests(release_file):
    """{name: sha256} of the files that a Release names."""
    text = release_file.read_text(encoding="utf-8").partition("SHA256:\n")[2]
    return {name: digest for digest, name in re.findall(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", text, re.MULTILINE)}


def test_indexes_name_what_is_there_and_are_signed(released, tmp_path):
    directory, _ = released
    keyring = unpacked(directory, tmp_path / "archive") / "usr/share/keyrings/pvschedd-archive.gpg"
    for suite, version in SUITES.items():
        dists = directory / "apt/dists" / suite
        verify(keyring, dists / "InRelease")
        verify(keyring, dists / "Release.gpg", dists / "Release")
        named = digests(dists / "Release")
        assert set(named) == {f"main/binary-amd64/Packages{end}" for end in ("", ".xz")}
        for name, digest in named.items():
            assert hashlib.sha256((dists / name).read_bytes()).hexdigest() == digest
        text = (dists / "main/binary-amd64/Packages").read_text(encoding="utf-8")
        assert re.findall(r"^Package: (.*)$", text, re.MULTILINE) == ["pvschedd-archive", "pvschedd"]
        assert f"\nVersion: {version}\n" in text
        for name, digest in re.findall(r"^Filename: (.*)\n(?:.*\n)*?SHA256: (.*)$", text, re.MULTILINE):
            assert hashlib.sha256((directory / "apt" / name).read_bytes()).hexdigest() == digest
    verify(keyring, directory / "SHA256SUMS.asc", directory / "SHA256SUMS")
    run("sha256sum", "--check", "SHA256SUMS", cwd=directory)


def test_a_changed_index_has_no_valid_signature(released, tmp_path):
    directory, _ = released
    keyring = unpacked(directory, tmp_path / "archive") / "usr/share/keyrings/pvschedd-archive.gpg"
    text = (directory / "apt/dists/trixie/InRelease").read_text(encoding="utf-8")
    (tmp_path / "InRelease").write_text(text.replace("Codename: trixie", "Codename: forky"), encoding="utf-8")
    verify(keyring, tmp_path / "InRelease", code=1)


def test_without_a_key_everything_says_not_for_publishing(released, tmp_path):
    directory, said = released
    assert "not for publishing" in said
    assert (directory / "NOT-FOR-PUBLISHING").is_file()
    assert "Not for publishing" in run("dpkg-deb", "--field", directory / "pvschedd-archive.deb", "Description")
    sources = unpacked(directory, tmp_path / "archive") / "usr/share/pvschedd-archive/pvschedd.sources"
    assert "not for publishing" in sources.read_text(encoding="utf-8")
    for suite in SUITES:
        assert "Label: pvschedd, not for publishing" in (directory / f"apt/dists/{suite}/InRelease").read_text("utf-8")


class Apt:
    """The apt of this machine with directories of its own and one source: nothing else of it is read or changed."""

    def __init__(self, directory, archive, suite):
        self.directory = directory
        for name in ("etc/sources.list.d", "state/lists/partial", "cache/archives/partial", "etc/empty"):
            (directory / name).mkdir(parents=True)
        (directory / "status").touch()
        keyring = archive / "usr/share/keyrings/pvschedd-archive.gpg"
        text = (archive / "usr/share/pvschedd-archive/pvschedd.sources").read_text(encoding="utf-8")
        text = re.sub("(?m)^Suites: .*$", f"Suites: {suite}", text).replace(f"/{keyring.relative_to(archive)}", str(keyring))
        (directory / "etc/sources.list.d/pvschedd.sources").write_text(text, encoding="utf-8")
        (directory / "apt.conf").write_text(
            f'Dir::Etc "{directory}/etc";\nDir::Etc::parts "{directory}/etc/empty";\nDir::State "{directory}/state";\n'
            f'Dir::State::status "{directory}/status";\nDir::Cache "{directory}/cache";\nAPT::Sandbox::User "root";\n'
            'APT::Update::Error-Mode "any";\nAPT::Architecture "amd64";\n', encoding="utf-8")

    def __call__(self, program, *argv, code=0):
        return run(program, *argv, code=code, env={**os.environ, "LC_ALL": "C.UTF-8", "APT_CONFIG": f"{self.directory}/apt.conf"})


@pytest.mark.parametrize("suite", SUITES)
def test_apt_takes_the_repository_and_no_changed_one(suite, released, packages, tmp_path):
    directory, _ = released
    archive = unpacked(directory, tmp_path / "archive")
    apt = Apt(tmp_path / "apt", archive, suite)
    apt("apt-get", "update")
    assert f"Candidate: {SUITES[suite]}" in apt("apt-cache", "policy", "pvschedd")
    # The same key and address, and a package that was exchanged afterwards.
    changed = tmp_path / "changed"
    shutil.copytree(directory, changed)
    sources = tmp_path / "apt/etc/sources.list.d/pvschedd.sources"
    sources.write_text(sources.read_text(encoding="utf-8").replace(f"file:{directory}/", f"file:{changed}/"), encoding="utf-8")
    with open(changed / f"apt/dists/{suite}/main/binary-amd64/Packages", "a", encoding="utf-8") as file:
        file.write("\n")
    (changed / f"apt/dists/{suite}/main/binary-amd64/Packages.xz").unlink()
    apt("apt-get", "update", code=100)


def test_a_release_with_a_key_is_for_publishing(packages, tarball, tmp_path):
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {**os.environ, "GNUPGHOME": str(home)}
    url = "https://packages.example.org/pvschedd"
    try:
        run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", MAINTAINER, "rsa3072", "sign", env=env)
        said = release(tmp_path / "release", packages, "--key", "tests@example.org", "--url", url, "--maintainer", MAINTAINER,
                       "--suite", "trixie", "--source", tarball, env=env)
    finally:
        run("gpgconf", "--kill", "all", env=env)
    assert "publishing" not in said
    assert not (tmp_path / "release/NOT-FOR-PUBLISHING").exists()
    assert sorted(os.listdir(tmp_path / "release/apt/dists")) == ["trixie"]
    archive = unpacked(tmp_path / "release", tmp_path / "archive")
    verify(archive / "usr/share/keyrings/pvschedd-archive.gpg", tmp_path / "release/apt/dists/trixie/InRelease")
    assert f"URIs: {url}\n" in (archive / "usr/share/pvschedd-archive/pvschedd.sources").read_text(encoding="utf-8")
    assert run("dpkg-deb", "--field", tmp_path / "release/pvschedd-archive.deb", "Maintainer") == f"{MAINTAINER}\n"


@pytest.mark.parametrize("options, code, text", [
    (["--key", "tests@example.org"], 2, "--key needs --url and --maintainer"),
    (["--maintainer", "nobody"], 1, '--maintainer is "Name <user@host>", not \'nobody\''),
    (["--url", "packages.example.org"], 1, "--url begins with https://"),
    (["--suite", "sid"], 1, "no packages are made for 'sid', but for: bookworm trixie"),
    (["--key", "no-such-key", "--url", "file:/x", "--maintainer", MAINTAINER], 1, "gpg has no secret key 'no-such-key'"),
])
def test_what_is_refused_and_why(options, code, text, packages, tmp_path):
    (tmp_path / "gnupg").mkdir(mode=0o700)
    said = release(tmp_path / "release", packages, *options, code=code,
                   env={**os.environ, "GNUPGHOME": str(tmp_path / "gnupg")})
    assert text in said
    assert not (tmp_path / "release").exists()
    assert sorted(os.listdir(tmp_path)) == ["gnupg"], "something was left behind"


def test_a_directory_of_something_else_is_not_replaced(packages, tmp_path):
    (tmp_path / "precious").write_text("x", encoding="utf-8")
    assert "is no release of this program" in release(tmp_path, packages, code=1)
    assert os.listdir(tmp_path) == ["precious"]


def configure(archive, root, codename):
    """Runs the package's postinst with its paths below ROOT. Returns its exit status and what it said."""
    text = (archive / "DEBIAN/postinst").read_text(encoding="utf-8")
    (root / "etc/apt/sources.list.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/os-release").write_text(f"VERSION_CODENAME={codename}\n", encoding="utf-8")
    text = text.replace("/etc/", f"{root}/etc/").replace("/usr/share/", f"{archive}/usr/share/")
    done = subprocess.run(["sh", "-c", text, "postinst", "configure"], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_the_source_is_written_once_and_for_this_debian(released, tmp_path):
    archive = unpacked(released[0], tmp_path / "archive")
    sources = tmp_path / "root/etc/apt/sources.list.d/pvschedd.sources"
    assert configure(archive, tmp_path / "root", "trixie") == (0, "")
    assert "\nSuites: trixie\n" in sources.read_text(encoding="utf-8")
    sources.write_text("Enabled: no\n", encoding="utf-8")
    assert configure(archive, tmp_path / "root", "trixie") == (0, "")
    assert sources.read_text(encoding="utf-8") == "Enabled: no\n"


def test_another_distribution_is_refused_by_name(released, tmp_path):
    archive = unpacked(released[0], tmp_path / "archive")
    code, said = configure(archive, tmp_path / "root", "noble")
    assert code == 1
    assert "there are no packages for this release, 'noble'; there are some for: bookworm trixie" in said
    assert not (tmp_path / "root/etc/apt/sources.list.d/pvschedd.sources").exists()


def test_the_tarball_builds_without_clang_and_bpftool(tarball, tmp_path):
    run("tar", "-C", tmp_path, "-xf", tarball)
    source, build = next(tmp_path.glob("pvschedd-*")), tmp_path / "build"
    hidden = ("unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE, "sh")
    said = run(*hidden, "meson", "setup", "-Dtests=false", "-Doptimization=0", build, source)
    assert re.search(r"tracer *: the one of the tarball", said), said
    run(*hidden, "ninja", "-C", build)
    assert (build / "bpf/tracer.skel.h").read_bytes() == (source / "compiled/x86_64/tracer.skel.h").read_bytes()
    assert run(build / "pvschedd", "--version") == f"pvschedd {source.name.removeprefix('pvschedd-')}\n"
    # What is forced fails, and does not take the tarball's.
    assert "clang" in run(*hidden, "meson", "setup", "-Dtests=false", "-Dbpf=compile", tmp_path / "forced", source, code=1)

