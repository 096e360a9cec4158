# SPDX-License-Identifier: GPL-2.0-or-later
"""Two releases of one key, as a maintainer publishes them one after the other. The suites `release` and `vm` install them."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAINTAINER = "pvschedd tests <tests@example.org>"

# Packages like those of a pool, with a higher version and nothing else changed.
_REPACK = """
for package in "$1"/*pvsched*_amd64.deb; do
	dpkg-deb -R "$package" "$2/tree"
	sed -i -E 's/^Version: .*|\\b(pvschedd|libpvsched1) \\(= [^)]*/&+next/' "$2/tree/DEBIAN/control"
	dpkg-deb --root-owner-group -Znone -b "$2/tree" "$2" >/dev/null
	rm -r "$2/tree"
done
"""


def run(*argv, **kwargs):
    """Standard output of a command of this machine."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, **kwargs)
    assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def make(parent, work, address, *options):
    """Makes PARENT/first with OPTIONS of scripts/release, and of its packages, with a higher version, PARENT/second.

    work     a directory for what is needed meanwhile
    address  the directory in which apt will find them, one after the other, as the link `current`
    """
    env = {**os.environ, "GNUPGHOME": str(work / "gnupg")}
    (work / "gnupg").mkdir(mode=0o700)
    common = ("--key", "tests@example.org", "--url", f"file:{address}/current/apt", "--maintainer", MAINTAINER)
    try:
        run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", MAINTAINER, "ed25519", "sign", env=env)
        run(ROOT / "scripts/release", parent / "first", *common, *options, env=env)
        newer = []
        for pool in (parent / "first/apt/pool").iterdir():
            (work / pool.name).mkdir()
            run("sh", "-ec", _REPACK, "sh", pool, work / pool.name)
            newer += [f"--suite={pool.name}", f"--packages={pool.name}={work / pool.name}"]
        source = next((parent / "first").glob("*.tar.xz"))
        run(ROOT / "scripts/release", parent / "second", *common, *newer, "--source", source, env=env)
    finally:
        run("gpgconf", "--kill", "all", env=env)
