# SPDX-License-Identifier: MIT
"""Makes the table and tests/machine.py importable."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
