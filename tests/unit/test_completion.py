#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion of pvschedctl offers what src/ctl/args.c knows, and domain names, also odd ones.

usage: test_completion.py SOURCE_DIRECTORY
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

SCRIPT = """
. "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_pvschedctl
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion:
    """Bash, asked as the shell asks it, with programs of ours in its PATH."""

    def __init__(self, source, directory):
        self._file = source / "scripts/completion/pvschedctl.bash"
        self._directory = directory

    def program(self, name, script):
        path = self._directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def ask(self, *words):
        environment = {"PATH": f"{self._directory}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", self._file, "pvschedctl", *words], check=True,
                              capture_output=True, text=True, env=environment, timeout=20)
        return set(done.stdout.splitlines())


def known(source):
    """(verbs, {verb: options}) of the tables in args.c; options of every verb are those of None."""
    text = (source / "src/ctl/args.c").read_text()
    verbs = re.findall(r'^\s*\[CTL_\w+\] = \{"(\w+)", (?:NULL|"(\w+)")', text, re.M)
    options = re.findall(r'^\s*\[OPTION_\w+\] = \{"(--[\w-]+)", [^,]+, (?:true|false),\s+([^}]+)\}', text, re.M)
    by_verb = {}
    for option, mask in options:
        for verb in re.findall(r"CTL_(\w+)", mask.replace("OF_ATTACH", "CTL_ATTACH | CTL_DETACH")):
            by_verb.setdefault(verb.lower(), set()).add(option)
        if mask == "EVERY_VERB":
            by_verb.setdefault(None, set()).add(option)
    return verbs, by_verb


def checks(source, directory):
    shell = Completion(source, directory)
    shell.program("pvschedctl", f"cat <<'END'\n{LIST}\nEND")
    verbs, options = known(source)
    yield "verbs", shell.ask(""), {first for first, _ in verbs}
    yield "second words", shell.ask("policy", ""), {second for first, second in verbs if first == "policy"}
    everywhere = options.pop(None)
    yield "options", shell.ask("list", "-"), everywhere
    for verb, own in options.items():
        yield f"options of {verb}", shell.ask(*verb.split("_"), "-"), everywhere | own
    yield "domains", shell.ask("show", ""), OFFERED
    yield "domains that begin so", shell.ask("--json", "explain", "a\\ b"), {r"a\ b:1"}
    yield "domains for a policy", shell.ask("policy", "set", ""), OFFERED
    yield "nothing where nothing comes", shell.ask("show", "web", ""), set()
    shell.program("pvschedctl", "exit 3")
    shell.program("virsh", 'echo "of libvirt"; echo')
    yield "defined domains to attach", shell.ask("attach", ""), {r"of\ libvirt"}
    yield "libvirt's domains without a daemon", shell.ask("show", ""), {r"of\ libvirt"}
    zsh = (source / "scripts/completion/pvschedctl.zsh").read_text()
    yield "verbs in zsh", set(re.findall(r"^\t\t'([a-z]+):", zsh, re.M)), {first for first, _ in verbs}
    yield "options in zsh", set(re.findall(r"--[a-z-]+(?=\[|\})", zsh)), everywhere.union(*options.values())


def main() -> int:
    failed = passed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, got, expected in checks(pathlib.Path(sys.argv[1]), pathlib.Path(directory)):
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
