# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's archives by suite, with apt lists in the cache: the apt of this machine stays as it is.

The mirror is that of this machine's apt; the suite's name takes the place of this machine's own.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import time

from .recipe import CACHE, say
from ..proc import RigError, run

LISTS_SECONDS = 86400


def machine_suite():
    """The name of the Debian that this machine runs."""
    with open("/etc/os-release", encoding="utf-8") as file:
        match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", file.read(), re.MULTILINE)
    if not match:
        raise RigError("/etc/os-release names no VERSION_CODENAME: the rig needs Debian")
    return match[1]


def lines(suite):
    """Lines for sources.list. A suite has its updates and security updates where this machine has them; its
    backports are a suite by themselves."""
    own = machine_suite()
    wanted, _, backports = suite.partition("-")
    text = run("apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)",
               "Created-By: Packages")
    found = []
    for line in dict.fromkeys(text.splitlines()):
        uri, release, component, origin = line.split("|")
        if origin != "Debian" or component != "main" or release not in (own, f"{own}-updates", f"{own}-security"):
            continue
        if not backports:
            found.append(f"deb {uri} {release.replace(own, wanted)} {component}")
        elif release == own:
            found.append(f"deb {uri} {suite} {component}")
    if not any(f" {suite} " in line for line in found):
        raise RigError(f"apt of this machine knows no archive of Debian {own}: add one to /etc/apt/sources.list.d and "
                       "run apt-get update")
    return found


def options():
    """The options that this machine's apt needs for its archives: proxies, retries, are expired lists allowed."""
    found = []
    for line in run("apt-config", "dump", "--format", "%f \"%v\"%n").splitlines():
        if re.match(r"Acquire::(https?|Retries|Check-Valid-Until|Check-Date)\b.* \"[^\"]", line):
            found.append(line)
    return found


class Archive:
    """One suite. Its lists are fetched when they are needed and older than a day."""

    def __init__(self, suite):
        self.suite = suite
        self._lines = lines(suite)
        name = hashlib.sha256("\n".join(self._lines).encode()).hexdigest()[:8]
        self._directory = f"{CACHE}/lists/{suite}-{name}"
        self._fresh = False

    def _write(self):
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(f"{self._directory}/{name}", mode=0o755, exist_ok=True)
            shutil.chown(f"{self._directory}/{name}", "_apt")
        os.makedirs(f"{self._directory}/empty", exist_ok=True)
        # Nothing is installed here: an installed version would count as an available one.
        contents = {"sources.list": "".join(f"{line}\n" for line in self._lines), "status": "", "apt.conf": (
            f'Dir::Etc::sourcelist "{self._directory}/sources.list";\n'
            f'Dir::Etc::sourceparts "{self._directory}/empty";\n'
            f'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "{self._directory}/empty";\n'
            f'Dir::State::lists "{self._directory}/lists";\nDir::State::status "{self._directory}/status";\n'
            f'Dir::Cache "{self._directory}/cache";\n')}
        for name, text in contents.items():
            with open(f"{self._directory}/{name}", "w", encoding="utf-8") as file:
                file.write(text)

    def _apt(self, program, *argv, **kwargs):
        return subprocess.run([program, "-q", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, "APT_CONFIG": f"{self._directory}/apt.conf"}, **kwargs)

    def update(self):
        """Fetches today's lists; if the archive cannot be reached, the present ones stay."""
        if self._fresh:
            return
        os.makedirs(self._directory, mode=0o755, exist_ok=True)
        stamp = f"{self._directory}/stamp"
        with open(f"{self._directory}/lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(stamp) or time.time() - os.path.getmtime(stamp) > LISTS_SECONDS:
                self._write()
                done = self._apt("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
                if done.returncode == 0:
                    with open(stamp, "w", encoding="ascii"):
                        pass
                elif not os.path.exists(stamp):
                    raise RigError(f"apt-get update for Debian {self.suite} failed: {done.stdout.strip()[-500:]}")
                else:
                    say(f"apt-get update for Debian {self.suite} failed: taking the lists that are there")
        self._fresh = True

    def show(self, package):
        """{field: value} of the newest PACKAGE; {} if the suite has none."""
        self.update()
        done = self._apt("apt-cache", "show", "--no-all-versions", package)
        if done.returncode != 0:
            return {}
        return dict(re.findall(r"^([A-Z][A-Za-z-]*): (.*)$", done.stdout, re.MULTILINE))

    def names(self, beginning):
        """All packages whose names begin like that."""
        self.update()
        return self._apt("apt-cache", "pkgnames", beginning).stdout.split()

    def sources(self, packages):
        """{source package: its newest version} of binary packages."""
        found = {}
        for package in packages:
            fields = self.show(package)
            if not fields:
                raise RigError(f"Debian {self.suite} has no {package}")
            found[fields.get("Source", package).split()[0]] = fields["Version"]
        return found

    def unpack(self, packages, directory):
        """Downloads the packages, [NAME or NAME=VERSION], and unpacks them into one tree. Nothing is installed."""
        self.update()
        download = f"{directory}.download"
        os.makedirs(download, mode=0o755)
        shutil.chown(download, "_apt")
        done = self._apt("apt-get", "download", *packages, cwd=download)
        if done.returncode != 0:
            raise RigError(f"apt-get download {' '.join(packages)} from Debian {self.suite} failed: "
                           f"{done.stdout.strip()[-500:]}")
        for path in glob.glob(f"{download}/*.deb"):
            run("dpkg", "-x", path, directory, timeout=300)
        shutil.rmtree(download)
