#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The debug kernel with allocations that fail on purpose (kernel/mm/fail_alloc.h). Writes RESULT as "passed failed skipped".

usage: run.py KERNEL ARCHIVE COMPRESSED-ARCHIVE ARCHIVE-WITH-ATTRIBUTES RESULT [--all]

1. Calls: walk.c, with 1 and 4 harts; devices.c, in a machine with devices.
2. A storm: one allocation in 50 fails for every program.
3. The start: boots with the Nth allocation failing, for so many N that each part of the start is met (--all: every one). Until the
   first program runs the machine may give up, if it says that memory is what it lacks; afterwards it goes on.
   Also with extended attributes, with devices, and with the other controllers of interrupts.
"""
import argparse
import concurrent.futures
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402

LIMIT = 300    # seconds for one machine: nothing but a hang reaches it
FIRST = 40     # of the start's allocations that fail each in a boot of its own,
SPREAD = 40    # and of the others
RUNS = "Run /walk as init process"


def devices(folder):
    """One of each that there is a driver for, and a second directory."""
    options = ["-device", "virtio-serial-device", "-chardev", "file,id=port,path=/dev/null", "-device", "virtserialport,chardev=port,name=port,nr=1",
               "-chardev", "null,id=console", "-device", "virtconsole,chardev=console,nr=2", "-device", "virtio-rng-device",
               "-netdev", "hubport,id=net,hubid=0", "-device", "virtio-net-device,netdev=net",
               "-drive", f"if=none,id=disk,format=raw,file={folder}/disk", "-device", "virtio-blk-device,drive=disk"]
    (folder / "disk").write_bytes(bytes(1 << 20))
    for tag in ("host", "other"):
        (folder / tag).mkdir()
        (folder / tag / "f").write_text("text")
        options += ["-fsdev", f"local,id={tag},path={folder}/{tag},security_model=none,multidevs=remap",
                    "-device", f"virtio-9p-device,fsdev={tag},mount_tag={tag}"]
    return options


def boot(kernel, archive, words, harts=1, with_devices=False, aia="none"):
    """The machine's status and what it said."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            extra = ["-machine", f"aia={aia}", *(devices(pathlib.Path(folder)) if with_devices else ())]
            status, text = machine.run(limit=LIMIT, kernel=kernel, initrd=archive, append="rdinit=/walk " + words, smp=harts,
                                       memory="128M", extra=extra)
    except machine.subprocess.TimeoutExpired as e:
        status, text = "none", (e.stdout or b"").decode("utf-8", "replace") + f"\n# no end within {LIMIT} s\n"
    return status, text.replace("\r", "")


def walk(kernel, archive, harts, with_devices=False):
    status, text = boot(kernel, archive, "loglevel=4" + (" -- devices" if with_devices else ""), harts, with_devices)
    lines = text.split("\n")
    good = sum(line.startswith("ok ") for line in lines)
    bad = [line for line in lines if line.startswith(("not ok ", "# "))]
    if status != 0 or "DONE" not in lines:
        bad = lines[-30:]
    for line in bad:
        print(f"fail-alloc [{harts} harts] {line}")
    return good, sum(line.startswith("not ok ") for line in bad) or bool(bad)


def storm(kernel, archive, one_in):
    status, text = boot(kernel, archive, f"loglevel=4 fail_alloc=1/{one_in} -- storm", 4)
    if status == 0 and "\nDONE\n" in text:
        return 1, 0
    print(f"fail-alloc: with fail_alloc=1/{one_in} the machine did not go on (QEMU's status {status}):\n{text[-3000:]}")
    return 0, 1


def start(kernel, archive, n, *machines):
    """True: one failing allocation was told, or did no harm."""
    status, text = boot(kernel, archive, f"loglevel=7 fail_alloc={n} -- nothing", 1, *machines)
    if RUNS in text and "exitcode=0x00007f00" in text:  # the loader of the first program could not go on
        good = "Error " in text
    elif RUNS in text:
        elsewhere = "ttyS0: no memory for its terminal" in text  # the console is then another one, which nobody reads here
        good = status == 0 and ("\nDONE\n" in text or elsewhere or "it starts without input and output" in text)
    else:
        panic = "Kernel panic:" in text
        good = panic and bool(re.search(r"no memory|error -12|no room", text)) and "assertion" not in text
    if not good:
        print(f"fail-alloc: fail_alloc={n} at the start (QEMU's status {status}):\n{text[-2500:]}")
    return good


def starts(kernel, archive, everything, *machines):
    _, text = boot(kernel, archive, "loglevel=7 fail_alloc=4000000000 -- nothing", 1, *machines)
    count = re.search(r"fail_alloc: (\d+) allocations until", text)
    if not count:
        print(f"fail-alloc: the machine does not say how many allocations its start takes:\n{text[-2000:]}")
        return 0, 1
    total = int(count[1])
    last = total + 60  # of the first program's own, too
    numbers = list(range(1, last)) if everything else sorted(
        {*range(1, FIRST), *range(total - 10, last, 4), *(FIRST + (total - FIRST) * i // SPREAD for i in range(SPREAD))})
    if machines and not everything:  # what comes with them is before the first program
        numbers = [n for n in numbers if n > FIRST][::2]
    if len(machines) > 1 and not everything:  # the other controllers of interrupts allocate nothing themselves
        numbers = numbers[::4]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda n: start(kernel, archive, n, *machines), numbers))
    print(f"fail-alloc: {len(numbers)} of the {total} allocations of a start with {pathlib.Path(archive).name} failed")
    return sum(results), len(results) - sum(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernel")
    parser.add_argument("archive")
    parser.add_argument("compressed")
    parser.add_argument("attributes")
    parser.add_argument("result")
    parser.add_argument("--all", action="store_true")
    o = parser.parse_args()
    totals = [walk(o.kernel, o.archive, harts) for harts in (1, 4)]
    totals += [walk(o.kernel, o.archive, 4, with_devices=True)]
    totals += [storm(o.kernel, o.archive, one_in) for one_in in (50, 7)]
    totals += [starts(o.kernel, archive, o.all) for archive in (o.archive, o.compressed, o.attributes)]
    totals += [starts(o.kernel, o.archive, o.all, True)]
    totals += [starts(o.kernel, o.archive, o.all, True, aia) for aia in ("aplic", "aplic-imsic")]
    passed, failed = (sum(column) for column in zip(*totals))
    pathlib.Path(o.result).write_text(f"{passed} {failed} 0\n", encoding="ascii")
    print(f"fail-alloc: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
