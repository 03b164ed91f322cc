# SPDX-License-Identifier: MIT
"""Programs that find their libraries in each way that a loader knows: one for each rule."""
import os
import shutil
import struct
import subprocess

CC = os.environ.get("CROSS", "riscv64-linux-gnu-") + "gcc"
BASE = [CC, "-nostdlib", "-fPIC", "-x", "c", "/dev/null", "-x", "none", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"]


class Odd:
    """A root under construction. Libraries get the name they are asked for as their soname."""

    def __init__(self, root, loader):
        self.root, self.loader, self.programs, self.stubs = root, loader, [], 0

    def elf(self, path, needs, flags):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        stubs = []
        for need in needs:
            self.stubs += 1
            stubs.append(self.root.parent / f"stub{self.stubs}.so")
            subprocess.run([*BASE, "-shared", f"-Wl,-soname,{need}", "-o", stubs[-1]], check=True)
        subprocess.run([*BASE, "-o", target, *stubs, *flags], check=True)
        for stub in stubs:
            stub.unlink()
        return target

    def library(self, path, *needs, soname=None, runpath=None, rpath=None, flags=()):
        name = [f"-Wl,-soname,{soname or path.rpartition('/')[2]}"] if soname != "" else []
        return self.elf(path, needs, ["-shared", *name, *self.path_flags(runpath, rpath), *flags])

    def program(self, path, *needs, runpath=None, rpath=None, flags=()):
        self.elf(path, needs, ["-pie", f"-Wl,--dynamic-linker={self.loader}", "-Wl,--defsym,_start=0", *self.path_flags(runpath, rpath), *flags])
        self.programs.append(path)

    @staticmethod
    def path_flags(runpath, rpath):
        if runpath is not None:
            return [f"-Wl,-rpath,{runpath}", "-Wl,--enable-new-dtags"]
        return [f"-Wl,-rpath,{rpath}", "-Wl,--disable-new-dtags"] if rpath is not None else []


def change(path, offset, form, value):
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, value)
    path.write_bytes(data)


def glibc(root, debian, loader):
    """For Debian's loader, without any libc: nothing is run but it."""
    odd = Odd(root, loader)
    real = debian / "usr/lib/riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1"
    (root / "usr/lib/riscv64-linux-gnu").mkdir(parents=True)
    for link in ("bin", "lib"):
        (root / "usr" / link).mkdir(exist_ok=True)
        (root / link).symlink_to(f"usr/{link}")
    shutil.copy(real, root / "usr/lib/riscv64-linux-gnu")
    (root / "usr/lib/ld-linux-riscv64-lp64d.so.1").symlink_to("riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    for place in ("usr/lib", "usr/lib/riscv64-linux-gnu", "opt/a", "opt/b", "opt/only"):
        odd.library(f"{place}/libv.so")
    odd.library("usr/lib/libplain.so")
    odd.library("opt/only/libonly.so")
    odd.program("/bin/default", "libv.so", "libplain.so")
    odd.program("/bin/runpath", "libv.so", runpath="/none:/opt/b:/opt/a")
    odd.program("/bin/rpath", "libv.so", rpath="/none/:/opt/a//:/opt/b")
    # Who inherits what of whom.
    odd.library("opt/a/libup.so", "libv.so")
    odd.library("opt/a/libup-runpath.so", "libplain.so", "libv.so", runpath="/opt/b")
    odd.library("opt/a/libup-rpath.so", "libdown.so", rpath="/opt/only")
    odd.library("opt/only/libdown.so", "libonly.so", "libv.so")
    odd.program("/bin/rpath-inherited", "libup.so", rpath="/opt/a")
    odd.program("/bin/rpath-not-inherited", "libup-runpath.so", rpath="/opt/a")
    odd.program("/bin/runpath-not-inherited", "libup.so", runpath="/opt/a")
    odd.program("/bin/rpath-of-a-library", "libup-rpath.so", rpath="/opt/a")
    odd.program("/bin/runpath-and-rpath-of-a-library", "libup-rpath.so", runpath="/opt/a")
    # Names.
    odd.library("opt/names/real-name.so", soname="libalias.so")
    odd.library("opt/names/libuser.so", "libalias.so")
    odd.program("/bin/by-soname", "real-name.so", "libuser.so", runpath="/opt/names")
    odd.program("/bin/own-soname", "libself.so", flags=["-Wl,-soname,libself.so"])
    (root / "opt/alias").symlink_to("a")
    odd.library("opt/a/libtwice.so", "libv.so", runpath="/opt/alias")
    odd.program("/bin/one-file-by-two-names", "libv.so", "libtwice.so", runpath="/opt/a")
    # Paths and tokens.
    odd.library("rel/libr.so")
    odd.library("libroot.so")
    odd.library("opt/lib/riscv64-linux-gnu/libt.so")
    odd.library("opt/app/lib/libo.so", "libp.so", runpath="$ORIGIN/../deep")
    odd.library("opt/app/deep/libp.so")
    odd.program("/bin/relative", "./rel/libr.so", "rel/../libroot.so")
    odd.program("/opt/app/bin/origin", "$ORIGIN/../lib/libo.so", "${ORIGIN}/../../a/libv.so")
    odd.program("/opt/app/bin/origin-path", "libo.so", "libt.so", runpath="$ORIGIN/../lib:/opt/$LIB:/opt/${LIB}")
    odd.program("/bin/void", "$PLATFORM/libgone.so", "libv.so", runpath="/opt/$PLATFORM:/opt/b")
    odd.library("opt/$FOO/libfoo.so")
    odd.library("opt/$ORIGINAL/libbar.so")
    odd.program("/bin/no-token", "libfoo.so", "libbar.so", runpath="/opt/$FOO:/opt/$ORIGINAL")
    odd.program("/bin/empty-element", "libroot.so", runpath="/none::/opt/a")
    odd.program("/at-the-root", "libroot.so", "libv.so", runpath="$ORIGIN:$ORIGIN/opt/b")
    (root / "short").symlink_to("opt/app/deep")
    odd.program("/bin/link-and-dots", "libo.so", runpath="/short/../lib")
    (root / "opt/passed/by").mkdir(parents=True)
    odd.program("/bin/dots", "libv.so", runpath="/opt/passed/by/../../b")
    # What is passed over.
    change(odd.library("opt/foreign/libv.so"), 18, "<H", 62)
    soft = odd.library("opt/soft/libv.so")
    change(soft, 48, "<I", struct.unpack_from("<I", soft.read_bytes(), 48)[0] & ~6)
    odd.program("/bin/passes-over", "libv.so", runpath="/opt/foreign:/opt/soft:/opt/b")
    odd.library("opt/hw/glibc-hwcaps/rva23u64/libv.so")
    odd.library("opt/hw/libv.so")
    odd.program("/bin/hwcaps", "libv.so", runpath="/opt/hw")
    # Filters, audit, no default directories; the cache.
    odd.library("usr/lib/libfiltee.so", "libplain.so")
    odd.library("usr/lib/libfilter.so", flags=["-Wl,-F,libfiltee.so"])
    odd.library("usr/lib/libaux.so", flags=["-Wl,-f,libfiltee.so", "-Wl,-f,libgone.so", "-Wl,-f,$ORIGIN/libplain.so"])
    odd.program("/bin/filter", "libfilter.so")
    odd.program("/bin/auxiliary", "libaux.so")
    odd.program("/bin/nodefaultlib", "libv.so", "libcached.so", runpath="/opt/b", flags=["-Wl,-z,nodefaultlib"])
    odd.library("opt/cached/libcached.so")
    odd.library("opt/cached/libv.so")
    odd.program("/bin/cached", "libcached.so", "libplain.so")
    odd.program("/bin/runpath-before-the-cache", "libcached.so", "libonly.so", runpath="/opt/only")
    return odd, {"libcached.so": "/opt/cached/libcached.so", "libplain.so": "/usr/lib/libplain.so", "libstale.so": "/opt/gone/libstale.so"}


def glibc_environment(root, debian, loader):
    """LD_LIBRARY_PATH and ld.so.preload, which are for all programs of a root."""
    odd, _ = glibc(root, debian, loader)
    odd.library("opt/pre/libpre.so", "libdeep.so", runpath="$ORIGIN")
    odd.library("opt/pre/libdeep.so")
    odd.library("usr/lib/libpre2.so")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/ld.so.preload").write_text("# comment\n/opt/pre/libpre.so:libpre2.so # behind\n")
    (root / "etc/ld.so.conf").write_text("/opt/cached\n")
    return odd


def musl(root, libc, loader):
    odd = Odd(root, loader)
    at = root / loader.lstrip("/")
    at.parent.mkdir(parents=True)
    shutil.copy(libc, at)
    for place in ("usr/lib", "opt/a", "opt/b"):
        odd.library(f"{place}/libv.so", soname="")
    odd.library("usr/local/lib/libl.so")
    odd.library("opt/a/libup.so", "libv.so")
    odd.library("opt/a/libup-runpath.so", "libv.so", runpath="/opt/b")
    odd.library("opt/a/libup-void.so", "libv.so", runpath="/opt/b:/opt/$LIB")
    odd.program("/bin/default", "libv.so", "libl.so")
    odd.program("/bin/rpath-inherited", "libup.so", rpath="/opt/a")
    odd.program("/bin/runpath-inherited", "libup.so", runpath="/opt/a")
    odd.program("/bin/runpath-of-a-library", "libup-runpath.so", runpath="/opt/a")
    odd.program("/bin/void", "libup-void.so", runpath="/opt/a")
    odd.program("/bin/own-names", "libc.so", "libm.so.6", "libpthread.so.0", "libc.musl-riscv64.so.1", "libv.so", runpath="/opt/b")
    odd.program("/opt/bin/origin", "libv.so", runpath="${ORIGIN}/../b")
    odd.program("/bin/soname-is-nothing", "libalias.so", "libreal.so", runpath="/opt/names")
    odd.library("opt/names/libreal.so", soname="libalias.so")
    odd.library("opt/names/libalias.so")
    odd.program("/bin/paths", "/opt/a/libv.so", "./opt/b/libv.so", "libv.so")
    (root / "opt/alias").symlink_to("a")
    odd.program("/bin/one-file-by-two-names", "/opt/alias/libv.so", "libv.so", runpath="/opt/a")
    odd.program("/bin/empty-elements", "libv.so", runpath=":/none::/opt/b:")
    odd.library("usr/lib/libfilter.so", flags=["-Wl,-F,libgone.so"])
    odd.program("/bin/filters-mean-nothing", "libfilter.so", flags=["-Wl,-z,nodefaultlib"])
    return odd
