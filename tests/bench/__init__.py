# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmarks: see docs/performance.md. Each module runs one of them; `run` is the way in."""
