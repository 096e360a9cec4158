#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion of pvschedctl offers what src/ctl/verbs.c has, and domain names, also odd ones; its manual page has the same
synopses.

usage: test_completion.py SOURCE_DIRECTORY GENERATE
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What `pvschedctl list --json` says in this test, and what is to be offered for it.
LIST = r'{"domains":[{"name":"web","uuid":"0"},{"name":"a b:1","uuid":"1"},{"name":"q\"uote","uuid":"2"}]}'
OFFERED = {"web", r"a\ b:1", r"q\"uote"}

# And `policy list --json`, `config --json`.
POLICIES = r'{"policies":[{"domain":"gone","uuid":"0"},{"uuid":"1"},{"domain":"a b","uuid":"2"}],"released":[]}'
CONFIG = r'{"settings":[{"key":".enabled"},{"key":".profiles.my-own.mode"},{"key":".profiles.my-own.burst_us"}]}'

SCRIPT = """
. "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_pvschedctl
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion:
    """Bash, asked as the shell asks it, with programs of ours in its PATH."""

    def __init__(self, file, directory):
        self._file, self._directory = file, directory

    def program(self, name, script):
        path = self._directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def ask(self, *words):
        environment = {"PATH": f"{self._directory}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", self._file, "pvschedctl", *words], check=True,
                              capture_output=True, text=True, env=environment, timeout=20)
        if done.stderr:
            raise AssertionError(f"{words}: {done.stderr}")
        return set(done.stdout.splitlines())


def known(source):
    """([verb], {verb: its own options}, options of every verb), out of the table in verbs.c."""
    text = (source / "src/ctl/verbs.c").read_text()
    names = dict(re.findall(r'\[CTL_OPTION_(\w+)\] = \{\s*"([\w-]+)"', text))
    sets = dict(re.findall(r"#define (\w+)\s+\\\n(.*?)\n(?=#|\n)", text, re.S))
    verbs, own = [], {}
    for entry in re.split(r"\[CTL_(?!OPTION)\w+\] =", text[:text.index("ctl_options[_CTL_OPTION_MAX]")])[1:]:
        name = re.search(r'\.name = "([\w ]+)"', entry)[1]
        options = re.search(r"\.options = ([^,]*),", entry)
        said = re.sub(r"\b[A-Z]+(_[A-Z]+)*\b", lambda word: sets.get(word[0], word[0]), options[1] if options else "")
        verbs.append(name)
        own[name] = {f"--{names[option]}" for option in re.findall(r"CTL_OPTION_(\w+)", said)}
    return verbs, own, {f"--{name}" for name in names.values()} - set().union(*own.values())


def checks(source, generate, directory):
    generated = {shell: subprocess.run([generate, shell, source / f"scripts/completion/pvschedctl.{shell}.in"], check=True,
                                       capture_output=True, text=True).stdout for shell in ("bash", "zsh")}
    (directory / "completion").write_text(generated["bash"])
    shell = Completion(directory / "completion", directory)
    shell.program("pvschedctl", f"cat <<'END'\n{LIST}\nEND")
    verbs, own, everywhere = known(source)
    first = {verb.split()[0] for verb in verbs} | {"help"}
    yield "verbs", shell.ask(""), first
    yield "verbs that begin so", shell.ask("d"), {verb for verb in first if verb.startswith("d")}
    yield "second words", shell.ask("policy", ""), {"get", "set", "assign", "unset", "list"}
    for verb, options in own.items():
        yield f"options of {verb}", shell.ask(*verb.split(), "-"), everywhere | options
    yield "options before a verb", shell.ask("-"), everywhere
    yield "verbs to help with", shell.ask("help", ""), first
    yield "no domain to help with", shell.ask("help", "show", ""), set()
    yield "values of an option", shell.ask("boost", "web", "--for", "5"), {"5ms", "500ms"}
    yield "domains", shell.ask("show", ""), OFFERED
    yield "domains that begin so", shell.ask("--json", "explain", "a\\ b"), {r"a\ b:1"}
    yield "domains after an option with a value", shell.ask("explain", "--vcpu", "1", ""), OFFERED
    yield "domains for a policy", shell.ask("policy", "set", ""), OFFERED
    yield "profiles", shell.ask("policy", "set", "web", "l"), {"latency"}
    yield "what decides of vCPUs to avoid", shell.ask("avoid", "web", ""), {"none", "auto", "profile"}
    yield "no profile to get", shell.ask("policy", "get", "web", ""), set()
    yield "nothing where nothing comes", shell.ask("show", "web", ""), set()
    yield "nothing after an unknown verb", shell.ask("nonsense", ""), set()
    shell.program("pvschedctl", f"cat <<'END'\n{POLICIES}\nEND")
    yield "domains whose policy is set", shell.ask("policy", "unset", ""), {"gone", r"a\ b"}
    shell.program("pvschedctl", f"cat <<'END'\n{CONFIG}\nEND")
    yield "profiles of the configuration", shell.ask("policy", "set", "web", ""), {
        "off", "observe", "interactive", "latency", "auto", "throughput", "my-own"}
    shell.program("pvschedctl", '[ "$*" = "show a b:1 --json" ] && echo \'{"domain":{"vcpus":[{"vcpu":0,"tid":7},{"vcpu":12}]}}\'')
    yield "vCPUs of the domain", shell.ask("explain", "a\\ b:1", "--vcpu", ""), {"0", "12"}
    yield "vCPUs that begin so", shell.ask("boost", "a\\ b:1", "--for", "5ms", "--vcpu", "1"), {"12"}
    yield "no vCPUs of no domain", shell.ask("explain", "--vcpu", ""), set()
    shell.program("pvschedctl", "exit 3")
    shell.program("virsh", 'echo "of libvirt"; echo')
    yield "defined domains to attach", shell.ask("attach", ""), {r"of\ libvirt"}
    yield "libvirt's domains without a daemon", shell.ask("show", ""), {r"of\ libvirt"}
    yield "verbs in zsh", set(re.findall(r"^\t'([a-z]+):", generated["zsh"], re.M)), first
    yield "options in zsh", set(re.findall(r"^\t'(--[a-z-]+)\[", generated["zsh"], re.M)), everywhere.union(*own.values())
    page = source / "man/pvschedctl.8"
    yield "synopses in the page as in the table", set(subprocess.run(
        [generate, "man", page], check=True, capture_output=True, text=True).stdout.splitlines()), set(page.read_text().splitlines())
    lost = directory / "lost"
    lost.write_text("nothing\n")
    yield "a template without a place for the tables is refused", {
        subprocess.run([generate, kind, lost], capture_output=True, check=False).returncode for kind in ("bash", "zsh", "man")}, {1}


def main() -> int:
    failed = passed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, got, expected in checks(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(directory)):
            if got == expected:
                passed += 1
            else:
                failed += 1
                print(f"not ok {name}: offered but unknown {sorted(got - expected)}, missing {sorted(expected - got)}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
