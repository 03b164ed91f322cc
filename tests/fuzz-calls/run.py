#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kernel under random system calls: boots machines whose /init is the fuzzer (main.c), and tells what they said.

usage: run.py KERNEL ARCHIVE [--harts N,N] [--seed N] [--minutes N] [--replay SEED:WORKER:PROGRAM] [--only CALL] [--result FILE]

Without --minutes: one machine for each number of harts, at once. With it: machine after machine, each with the next seed, until the time is
over or something is found. A find's name is in its panic, "running WORKER.PROGRAM": --replay SEED:WORKER:PROGRAM makes that program's
calls again, alone, and prints each before it is made.
"""
import argparse
import concurrent.futures
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402

LIMIT = 1500  # seconds for one machine: nothing but a hang reaches it
WORKERS, PROGRAMS, CALLS = 6, 840, 200  # a million calls
TOLD = re.compile(r"^(?:ok |not ok |# |DONE|    (?:syscall|// =)|\[ *\d+\.\d+\] )")


def boot(kernel, archive, harts, words):
    """Runs one machine; returns (passed, failed, what it said)."""
    append = "rdinit=/fuzz-init loglevel=4 -- " + " ".join(words)
    try:
        status, text = machine.run(limit=LIMIT, kernel=kernel, initrd=archive, append=append, smp=harts, memory="256M")
    except machine.subprocess.TimeoutExpired as e:
        status, text = "none", (e.stdout or b"").decode("utf-8", "replace") + f"\n# no end within {LIMIT} s\n"
    lines = [line for line in text.replace("\r", "").split("\n") if TOLD.match(line)]
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("not ok ") for line in lines)
    if status != 0 or "DONE" not in lines:
        failed += 1
        lines.append(f"# the machine did not finish cleanly (QEMU's status {status})")
    return passed, failed, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel")
    parser.add_argument("archive")
    parser.add_argument("--harts", default="1,4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--replay")
    parser.add_argument("--only")
    parser.add_argument("--result")
    options = parser.parse_args()
    harts = [int(n) for n in options.harts.split(",")]
    words = [f"workers={WORKERS}", f"programs={PROGRAMS}", f"calls={CALLS}"] + ([f"only={options.only}"] if options.only else [])
    seed, passed, failed, start = options.seed, 0, 0, time.monotonic()
    while True:
        what = [f"replay={options.replay}"] if options.replay else [f"seed={seed}"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            told = list(pool.map(lambda n: boot(options.kernel, options.archive, n, words + what), harts))
        for n, (p, f, lines) in zip(harts, told):
            passed, failed = passed + p, failed + f
            if f or options.replay:
                print("\n".join(lines))
            print(f"fuzz-calls [{n} harts, {' '.join(what)}]: {p} passed, {f} failed", flush=True)
        seed += 1
        if failed or not options.minutes or time.monotonic() - start > options.minutes * 60:
            break
    if options.result:
        pathlib.Path(options.result).write_text(f"{passed} {failed} 0\n", encoding="ascii")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
