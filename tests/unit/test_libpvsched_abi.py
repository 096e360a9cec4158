#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libpvsched seen from outside: its symbols, its header in C and C++, its man pages, its example."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, LIBRARY, EXAMPLE = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
HEADER = ROOT / "include/pvsched/pvsched.h"
PAGES = ("man/libpvsched.3", "man/pvsched-protocol.7")


class Skip(Exception):
    """Cannot be tried here."""


def output(*argv, **kwargs):
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def sanitized():
    return "libasan" in output("readelf", "-d", LIBRARY) or "libtsan" in output("readelf", "-d", LIBRARY)


def declared():
    """Names of the functions that the header declares."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    return set(re.findall(r"\b(pvsched_\w+)\([^;{]*\);", text))


def test_symbols():
    symbols = {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", LIBRARY).splitlines()}
    symbols.discard("PVSCHED_1")
    assert len(symbols) >= 10, symbols
    assert symbols == declared(), symbols ^ declared()


def test_soname():
    assert "[libpvsched.so.1]" in output("readelf", "-d", LIBRARY)


def test_needs_libc_alone():
    if sanitized():
        raise Skip("a sanitizer brings its own library")
    needed = set(re.findall(r"NEEDED.*\[([^]]*)\]", output("readelf", "-d", LIBRARY)))
    assert all(name.startswith(("libc.", "ld-linux")) for name in needed), needed


def compile_header(compiler, standard, language):
    if not shutil.which(compiler):
        raise Skip(f"no {compiler} here")
    if sanitized():
        raise Skip("a program without the sanitizer cannot be linked with a library that has it")
    calls = "\n".join(f"(void)&{name};" for name in sorted(declared()))
    text = f"""#include <pvsched/pvsched.h>
int main(void) {{ struct pvsched_lease lease = PVSCHED_LEASE_INIT; (void)lease;\n{calls}\nreturn 0; }}\n"""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-x", language, "-",
                        f"-I{ROOT}/include", "-o", f"{directory}/program", "-x", "none", LIBRARY],
                       input=text, text=True, check=True)


def test_c99():
    compile_header("cc", "c99", "c")


def test_cxx():
    compile_header("g++", "c++11", "c++")


def test_man_pages():
    if not shutil.which("mandoc"):
        raise Skip("no mandoc here")
    for page in PAGES:
        output("mandoc", "-T", "lint", "-W", "warning", str(ROOT / page))
    text = (ROOT / PAGES[0]).read_text(encoding="utf-8")
    missing = [name for name in declared() if not re.search(rf"^\.Fn {name}\b|^\.Fo {name}\b", text, re.MULTILINE)]
    assert not missing, f"not in libpvsched(3): {missing}"


def test_protocol_offsets():
    """The tables of pvsched-protocol(7) against the headers, by the compiler."""
    rows = re.findall(r"^\.It (\d+) Ta (\d+) Ta (\S+) Ta", (ROOT / PAGES[1]).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 30, rows
    asserts, structs = [], {"abi_version": "pvsched_page", "magic": "pvsched_channel_head"}  # their first fields
    struct = "pvsched_region"
    for number, (offset, size, field) in enumerate(rows):
        if number and field in structs:
            struct = structs[field]
        where = f"struct {struct}"
        asserts.append(f'_Static_assert(__builtin_offsetof({where}, {field}) == {offset} && '
                       f'sizeof((({where} *)0)->{field}) == {size}, "{struct}.{field}");')
    subprocess.run(["cc", "-std=gnu17", "-fsyntax-only", "-x", "c", "-", f"-I{ROOT}/include"], check=True, text=True,
                   input="#include <pvsched/channel.h>\n" + "\n".join(asserts))


def test_example():
    with tempfile.NamedTemporaryFile() as region:
        os.truncate(region.fileno(), 1 << 20)
        environment = dict(os.environ, PVSCHED_REGION=region.name)
        assert output(EXAMPLE, "3", env=environment).startswith("no pvschedd serves this machine")
        os.truncate(region.fileno(), 4096)
        assert subprocess.run([EXAMPLE, "3"], env=environment, stderr=subprocess.DEVNULL, check=False).returncode == 1


def main():
    counts = {"ok": 0, "not ok": 0, "skipped": 0}
    for name, test in [(name[5:], test) for name, test in globals().items() if name.startswith("test_")]:
        try:
            test()
            result, why = "ok", ""
        except Skip as skip:
            result, why = "skipped", f": {skip}"
        except (AssertionError, subprocess.CalledProcessError, OSError) as error:
            result, why = "not ok", f": {error}"
        counts[result] += 1
        print(f"{result} {name}{why}")
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skipped']} skipped")
    return 1 if counts["not ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
