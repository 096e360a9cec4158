# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmarks: see docs/measurements/README.md. Each module runs one of them; `run` is the way in."""
