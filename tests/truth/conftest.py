# SPDX-License-Identifier: MIT
"""Where the machine is (tests/machine.py)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
