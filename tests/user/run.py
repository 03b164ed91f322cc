#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the user tests inside Drupe with 1 and 4 harts; prints what fails; writes RESULT as "passed failed skipped".

usage: run.py [--linux KERNEL] INITRD RESULT [PROGRAM...]

With --linux the programs run on that Linux instead, once.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402

HARTS = (1, 4)
LIMIT = 600


def run(initrd, harts, programs, kernel=None):
    """One boot; returns (passed, failed)."""
    programs = programs + ["linux"] if kernel else programs  # it does not do all that init tries
    append = "rdinit=/test-init loglevel=4 " + ("console=ttyS0 quiet panic=-1 " if kernel else "") + ("-- " + " ".join(programs) if programs else "")
    try:
        status, text = machine.run(limit=LIMIT, kernel=kernel, initrd=initrd, append=append, smp=harts)
    except subprocess.TimeoutExpired as e:
        status, text = "none", (e.stdout or b"").decode("utf-8", "replace") + f"\n# no end within {LIMIT} s\n"
    lines = text.replace("\r", "").split("\n")
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("not ok ") for line in lines)
    for i, line in enumerate(lines):
        if line.startswith("not ok "):
            why = [earlier for earlier in lines[max(0, i - 3):i] if earlier.startswith("# ")]
            print(f"user [{harts} harts] {line}\n    " + "\n    ".join(why[-2:]))
    if "DONE" not in lines or status != 0:
        failed += 1
        print(f"user [{harts} harts] did not finish cleanly (QEMU's status {status}); the console's end:")
        print("\n".join(lines[-40:]))
    if not re.search(r"^ok ", text, re.M):
        failed += 1
    print(f"user [{harts} harts]: {passed} passed, {failed} failed")
    return passed, failed


def main():
    arguments = sys.argv[1:]
    kernel = arguments[1] if arguments[0] == "--linux" else None
    initrd, result, *programs = arguments[2:] if kernel else arguments
    totals = [run(initrd, harts, programs, kernel) for harts in ((2,) if kernel else HARTS)]
    passed, failed = (sum(column) for column in zip(*totals))
    pathlib.Path(result).write_text(f"{passed} {failed} 0\n", encoding="ascii")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
