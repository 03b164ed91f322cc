#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures Drupe in instructions and prints the table beside Linux's figures (bench/linux.tsv).

usage: run.py BUILD-DIRECTORY [--keep | --hold RESULT | --linux KERNEL]

--keep writes the figures to bench/drupe.tsv, with the compiler and QEMU they were measured with; --hold fails where one is more than 5 % worse
than what stands there, and leaves "passed failed skipped" in RESULT; --linux measures that kernel instead, without the rows about archives. Another compiler's code takes other instructions, and another QEMU has
other harts: there the rows that count memory are held, and those that count instructions are skipped, with the reason, if they were measured.

Boots under -icount: an archive with the benchmark alone, the same plus one 64 MiB set of large files (also compressed), the same plus
10,000 and 100,000 small files, images so large that little memory is left, and the whole benchmark. The kernel prints the time at its entry, which is taken out.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
INSTRUCTIONS_PER_TICK = 100  # timebase 10 MHz, 1 instruction = 1 ns of -icount shift=0
LIMIT = 900  # seconds: generous, nothing but a hang reaches it


def pack(build, out, *extra, program="kbench"):
    subprocess.run([str(build / "drupe"), "pack", "--sysroot", str(build / "sysroot"), "-o", str(out),
                    f"/init={build}/bench/{program}", *extra], check=True)


def boot(build, archive, *arguments, image=None, memory="1G", console=""):
    """Boots the bare kernel with this archive, or an image with one in it; returns ({name: (ticks, operations)}, console text)."""
    line = ["qemu-system-riscv64", "-machine", "virt", "-m", memory, "-nographic", "-no-reboot", "-icount", "shift=0,sleep=off",
            "-kernel", str(image or build / "bare/Image"), "-append", f"{console} rdinit=/init -- " + " ".join(arguments)]
    line += ["-initrd", str(archive)] if archive else []
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
                          check=False)
    text = done.stdout.decode("utf-8", "replace").replace("\r", "")
    found = {}
    for match in re.finditer(r"^([^\t\n]+)\t(\d+)\t(\S+)$", text, re.M):
        found[match.group(1)] = (int(match.group(2)), match.group(3))
    entry = re.search(r"entered at rdtime (\d+)", text)
    if "main" not in found or (not entry and not console) or "\nend\n" not in text:
        sys.exit(f"bench: the benchmark did not finish (QEMU's status {done.returncode}); console:\n{text[-3000:]}")
    if entry:
        found["boot"] = (found["main"][0] - int(entry.group(1)), "1")
    return found, text


def operations(build, work, **how):
    """The rows of the programs that measure single operations."""
    rows = {}
    for program in ("kbench", "sockets", "ipc"):
        archive = f"{program}-operations.cpio"
        pack(build, work / archive, program=program)
        found, _ = boot(build, work / archive, **how)
        for name, (ticks, times) in found.items():
            if times.isdigit():
                rows.setdefault(name, ticks * INSTRUCTIONS_PER_TICK / int(times))
    return rows


def small_files(directory, directories):
    for d in range(directories):
        (directory / f"small/{d}").mkdir(parents=True)
        for f in range(100):
            (directory / f"small/{d}/{f}").write_bytes(b"x" * 300)


def large_files(directory):
    (directory / "large").mkdir()
    for i in range(16):
        (directory / f"large/{i}").write_bytes(os.urandom(4096) * 1024)


def free_with(build, work, mebibytes, memory):
    """kB free in a machine of that memory whose image has an archive of that many MiB. (A hole: no machine looks at what is in it.)"""
    with open(work / "filler", "wb") as file:
        file.truncate(mebibytes << 20)
    subprocess.run([str(build / "drupe"), "pack", "-o", str(work / "filler.cpio"), f"/filler={work}/filler"], check=True)
    subprocess.run([str(build / "drupe"), "image", "-k", str(build / "bare/Image"), "-i", str(work / "console.cpio"), "-i",
                    str(work / "plain.cpio"), "-i", str(work / "filler.cpio"), "-o", str(work / "image")], check=True,
                   stderr=subprocess.DEVNULL)
    found, _ = boot(build, None, "boot", image=work / "image", memory=memory)
    return found["MemFree:"][0]


def measure(build, work):
    rows = {}
    pack(build, work / "plain.cpio")
    (work / "a").mkdir()
    (work / "b").mkdir()
    (work / "c").mkdir()
    large_files(work / "a")
    small_files(work / "b", 100)
    small_files(work / "c", 1000)
    pack(build, work / "large.cpio", f"/large={work}/a/large")
    pack(build, work / "small.cpio", f"/small={work}/b/small")
    pack(build, work / "many.cpio", f"/small={work}/c/small")
    subprocess.run([str(build / "drupe"), "pack", "--compress", "zstd:3", "--sysroot", str(build / "sysroot"), "-o",
                    str(work / "zstd.cpio"), f"/init={build}/bench/kbench", f"/large={work}/a/large"], check=True)
    plain, _ = boot(build, work / "plain.cpio", "boot")
    large, _ = boot(build, work / "large.cpio", "boot")
    small, _ = boot(build, work / "small.cpio", "boot")
    many, _ = boot(build, work / "many.cpio", "boot")
    zstd, _ = boot(build, work / "zstd.cpio", "boot")
    scale = INSTRUCTIONS_PER_TICK
    rows["kernel entry to main() of a dynamic /init"] = plain["boot"][0] * scale
    rows["unpacking 64 MiB of large files"] = (large["boot"][0] - plain["boot"][0]) * scale
    rows["unpacking 10,000 files of 300 B in 100 directories"] = (small["boot"][0] - plain["boot"][0]) * scale
    rows["the same, each of 100,000 files"] = (many["boot"][0] - plain["boot"][0]) * scale / 100000
    rows["decompressing 64 MiB of large files, zstd"] = (zstd["boot"][0] - plain["boot"][0]) * scale
    rows["memory taken by those files, kB"] = plain["MemFree:"][0] - small["MemFree:"][0]
    (work / "console").write_text("dir /dev 755 0 0\nnod /dev/console 600 0 0 c 5 1\n", encoding="ascii")
    subprocess.run([str(build / "drupe"), "pack", "-m", str(work / "console"), "-o", str(work / "console.cpio")], check=True)
    rows["150 MiB in the image, 192 MiB of RAM: kB free"] = free_with(build, work, 150, "192M")
    rows["1,000 MiB in the image, 1.5 GiB of RAM: kB free"] = free_with(build, work, 1000, "1536M")
    return operations(build, work) | rows


# ---- what was measured before

KEPT = TOP / "bench/drupe.tsv"
SLACK = 1.05
SLACK_OF = {"mmap + munmap 64 KiB untouched": 1.25,  # one page table more or less, by where the area comes to lie
            "unpacking 64 MiB of large files": 1.4}  # between two boots that differ by a hundredth, by where their programs come to lie


def measured_with():
    """What the number of instructions depends on beside our sources."""
    gcc = subprocess.run(["riscv64-linux-gnu-gcc", "-dumpversion"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    qemu = subprocess.run(["qemu-system-riscv64", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"gcc {gcc} in QEMU {re.search(r'version ([0-9]+[.][0-9]+)', qemu).group(1)}"


HEAD = "# make bench-keep; what a change is held against. Measured with the code of "


def keep(rows):
    KEPT.write_text(f"{HEAD}{measured_with()}\n" + "".join(f"{name}\t{figure:.0f}\n" for name, figure in rows.items()), encoding="utf-8")


def is_worse(name, figure, kept):
    slack = SLACK_OF.get(name, SLACK)
    return figure * slack < kept if name.endswith("kB free") else figure > kept * slack


def hold(rows, result):
    """Compares with what was kept; returns the exit status."""
    head, *lines = KEPT.read_text(encoding="utf-8").splitlines()
    kept = {name: int(figure) for name, figure in (line.split("\t") for line in lines)}
    other = head.removeprefix(HEAD) != measured_with()
    incomparable = [name for name in kept if other and name in rows and "kB" not in name]
    worse = [name for name, figure in kept.items() if name not in incomparable and (name not in rows or is_worse(name, rows[name], figure))]
    for name in worse:
        now = f"{rows[name]:,.0f}" if name in rows else "not measured"
        print(f"bench: {name}: {now}, was {kept[name]:,}; if that is meant: make bench-keep")
    reason = f"bench: {len(incomparable)} rows of {KEPT.name} count instructions of {head.removeprefix(HEAD)}; this is {measured_with()}\n"
    print(reason if incomparable else "", end="")
    result.write_text(f"{len(kept) - len(worse) - len(incomparable)} {len(worse)} {len(incomparable)}\n", encoding="ascii")
    result.with_suffix(".skipped").write_text(reason if incomparable else "", encoding="utf-8")
    return 1 if worse else 0


def number(text):
    return f"{int(text):,}" if text else ""


def print_table(table, rows):
    print(f"{'instructions':52}{'Drupe':>12}{'target':>12}{'small Linux':>13}{'Debian':>13}{'limit':>9}{'x small':>9}")
    for name, small, debian, limit, target in table:
        ours = rows.get(name)
        if ours is None:
            print(f"{name:52}{'-':>12}")
            continue
        mark = " " if not target or ours <= float(target) else "*"
        times = f"{int(small) / max(ours, 1):.1f}x" if small else ""
        print(f"{name:52}{ours:>12,.0f}{number(target):>11}{mark}{number(small):>13}{number(debian):>13}{number(limit):>9}{times:>9}")
    print("* above the target")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    lines = (TOP / "bench/linux.tsv").read_text(encoding="utf-8").splitlines()
    table = [line.split("\t") for line in lines if line and not line.startswith("#")]
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as work:
        if "--linux" in sys.argv:
            measured = operations(build, pathlib.Path(work), image=sys.argv[3], console="console=ttyS0 quiet")
            for name, *_ in table:
                print(f"{name:52}{measured[name]:>12,.0f}" if name in measured else f"{name:52}{'-':>12}")
            return 0
        measured = measure(build, pathlib.Path(work))
    rows = {name: measured[name] for name, *_ in table if name in measured}
    if "--keep" in sys.argv:
        keep(rows)
    if "--hold" in sys.argv:
        return hold(rows, pathlib.Path(sys.argv[3]))
    print_table(table, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
