# SPDX-License-Identifier: MIT
"""gdb commands for the kernel and the programs it runs; "make gdb" loads them.

    drupe start                  run to the kernel's first C function
    drupe maps                   the areas of the current process
    drupe symbols [NAME=]FILE    add a user program's or library's symbols: FILE is it on the host, NAME its
                                 name in the guest if that differs. Then: hbreak main (its pages need not be
                                 there yet, so a hardware breakpoint), continue.

"Current" is what the selected hart runs. The hart must be in the kernel: in user mode QEMU lets gdb see no more
than the program sees. Any system call will do: hbreak sys_write, continue.
"""
import os
import struct

import gdb

PAGE_SIZE = 4096
START = "kernel_main"
MAP_SHARED = 1


def current():
    """The running thread of the selected hart: tp holds it in the kernel, sscratch at the edge to user mode."""
    address = int(gdb.parse_and_eval("(unsigned long)$sscratch")) or int(gdb.parse_and_eval("(unsigned long)$tp"))
    return gdb.Value(address).cast(gdb.lookup_type("struct thread").pointer())


def tree(node, link):
    """The elements of a red-black tree of sys/tree.h, in order; `link` names the entry in an element."""
    if not node:
        return
    entry = node[link]
    names = [field.name for field in entry.type.fields()]
    left, right = (entry[n] for n in ("rbe_left", "rbe_right")) if "rbe_left" in names else \
        (entry["rbe_link"][i] for i in (0, 1))
    yield from tree(left, link)
    yield node
    yield from tree(right, link)


def file_name(file):
    dentry = file["path"]["dentry"] if file else None
    return dentry["name"].string() if dentry else ""


def areas():
    try:
        vm = current()["vm"]
        if not vm:
            raise gdb.GdbError("this thread belongs to the kernel: it has no address space of its own")
        return list(tree(vm["areas"]["rbh_root"], "node"))
    except gdb.MemoryError:
        raise gdb.GdbError("the hart is in user mode: stop it in the kernel first (help drupe)") from None


def first_load(path):
    """Page address of an ELF64 file's first PT_LOAD."""
    with open(path, "rb") as f:
        head = f.read(64)
        if head[:5] != b"\x7fELF\x02":
            raise gdb.GdbError(f"{path} is not a 64-bit ELF file")
        offset, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for i in range(count):
            f.seek(offset + i * size)
            kind, _, _, address = struct.unpack("<IIQQ", f.read(24))
            if kind == 1:
                return address & -PAGE_SIZE
    raise gdb.GdbError(f"{path} has nothing to load")


class Drupe(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("drupe", gdb.COMMAND_USER, prefix=True)


class Start(gdb.Command):
    """Runs to the kernel's first C function, at its final address."""

    def __init__(self):
        super().__init__("drupe start", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        gdb.execute(f"thbreak {START}")
        gdb.execute("continue")


class Maps(gdb.Command):
    """Prints the areas of the current process."""

    def __init__(self):
        super().__init__("drupe maps", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for area in areas():
            prot, shared = int(area["prot"]), int(area["flags"]) & MAP_SHARED
            bits = "".join(c if prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
            name = file_name(area["file"]) or (area["name"].string() if area["name"] else "")
            print(f"{int(area['start']):012x}-{int(area['end']):012x} {bits}{'s' if shared else 'p'} "
                  f"{int(area['pgoff']) * PAGE_SIZE:08x} {name}".rstrip())


class Symbols(gdb.Command):
    """drupe symbols [NAME=]FILE: adds the symbols of a program or library of the current process."""

    def __init__(self):
        super().__init__("drupe symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        name, _, path = argument.strip().rpartition("=")
        if not path:
            raise gdb.GdbError("usage: drupe symbols [NAME=]FILE")
        name = os.path.basename(name or path)
        for area in areas():
            if file_name(area["file"]) == name:
                base = int(area["start"]) - int(area["pgoff"]) * PAGE_SIZE - first_load(path)
                gdb.execute(f"add-symbol-file {path} -o {base:#x}")
                return
        raise gdb.GdbError(f"the current process does not map {name}; \"drupe maps\" shows what it does")


Drupe()
Start()
Maps()
Symbols()
