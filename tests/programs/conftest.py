# SPDX-License-Identifier: MIT
"""Makes tests/machine.py importable."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
