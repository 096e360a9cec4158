# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of the fuzz targets: those of the one list of them, in meson.build beside this file."""

import os
import re

_LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "meson.build")


def names():
    with open(_LIST, encoding="utf-8") as file:
        found = re.search(r"^fuzz_sources = \{\n(.*?)^\}", file.read(), re.MULTILINE | re.DOTALL)
    return re.findall(r"^  '([a-z_]+)': ", found[1], re.MULTILINE)
