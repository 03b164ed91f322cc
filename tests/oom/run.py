#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a machine of 64 MiB with one hart and one of 128 MiB with four, or (--all) each with each, in which programs use memory up
(oom.c); prints what fails; writes RESULT as "passed failed skipped".

With one hart the time is counted in instructions (4 ns each), so that "within a second" says the same on any host. Four harts run at
once, in the host's time: two answers of a way may come late there.

usage: run.py [--all] INITRD RESULT [WAY...]
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402

MACHINES = (("64M", 1), ("128M", 4))
ALL = (("64M", 1), ("64M", 4), ("128M", 1), ("128M", 4))
LIMIT = 600
KILLED = re.compile(r"Out of memory: Killed process \d+ \(\S+\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB, shmem-rss:\d+kB, "
                    r"UID:\d+ pgtables:\d+kB oom_score_adj:-?\d+")


def run(initrd, memory, harts, ways):
    """One boot; returns (passed, failed)."""
    name = f"oom [{memory}, {harts} harts]"
    counted = ("-icount", "shift=2,sleep=off") if harts == 1 else ()
    append = "rdinit=/oom loglevel=4" + ("" if counted else " LATE=2") + (" -- " + " ".join(ways) if ways else "")
    try:
        status, text = machine.run(limit=LIMIT, initrd=initrd, append=append, smp=harts, memory=memory,
                                   extra=counted)
    except subprocess.TimeoutExpired as e:
        status, text = "none", (e.stdout or b"").decode("utf-8", "replace") + f"\n# no end within {LIMIT} s\n"
    lines = text.replace("\r", "").split("\n")
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("not ok ") for line in lines)
    for line in lines:
        if line.startswith(("not ok ", "# ")):
            print(f"{name} {line}")
    if "DONE" not in lines or status != 0 or not passed:
        failed += 1
        print(f"{name} did not finish cleanly (QEMU's status {status}); the console's end:")
        print("\n".join(lines[-40:]))
    if not ways and not KILLED.search(text):
        failed += 1
        print(f"{name} the log does not say who was killed")
    print(f"{name}: {passed} passed, {failed} failed")
    return passed, failed


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--all"]
    initrd, result, ways = arguments[0], arguments[1], arguments[2:]
    machines = ALL if "--all" in sys.argv else MACHINES
    totals = [run(initrd, memory, harts, ways) for memory, harts in machines]
    passed, failed = (sum(column) for column in zip(*totals))
    pathlib.Path(result).write_text(f"{passed} {failed} 0\n", encoding="ascii")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
