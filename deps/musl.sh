#!/bin/sh
# SPDX-License-Identifier: MIT
#
# musl.sh SOURCE WORK SYSROOT: builds musl out of tree in WORK and installs it as the root directory SYSROOT,
# with Linux's uapi headers and a compiler wrapper:
#   SYSROOT/lib/libc.so                    the C library and loader, stripped
#   SYSROOT/lib/ld-musl-riscv64.so.1       -> libc.so
#   SYSROOT/lib/.debug/libc.so.debug       its debugging information, found by gdb through the link in libc.so
#   SYSROOT/include/                       musl's headers, and linux/ asm/ asm-generic/ mtd/
#   SYSROOT/bin/musl-gcc                   compiles and links for SYSROOT
# The tree may be moved: the wrapper finds the sysroot from its own place.
#
# Environment: CROSS, the prefix of the cross tools.

set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL # the flags of our own make are not for this one
[ $# -eq 3 ] || { echo "usage: musl.sh SOURCE WORK SYSROOT" >&2; exit 2; }
source=$(realpath "$1")
work=$2
final=$(realpath -m "$3")
sysroot=$final.tmp
here=$(dirname "$(realpath "$0")")
CROSS=${CROSS:-riscv64-linux-gnu-}
loader=ld-musl-riscv64.so.1

# Where the compiler finds Linux's uapi headers. musl's own headers of the same names must win, and the headers of the
# other C library that lie beside them must stay out, so only these directories are taken.
install_uapi() {
    for header in linux/stat.h asm/stat.h asm-generic/stat.h mtd/mtd-abi.h; do
        from=$("$here/header.sh" "${CROSS}gcc" "$header")
        cp -RL "$(dirname "$from")" "$sysroot/include/"
    done
}

install_debug() {
    mkdir -p "$sysroot/lib/.debug"
    ${CROSS}objcopy --only-keep-debug "$sysroot/lib/libc.so" "$sysroot/lib/.debug/libc.so.debug"
    ${CROSS}strip --strip-unneeded "$sysroot/lib/libc.so"
    (cd "$sysroot/lib/.debug" && ${CROSS}objcopy --add-gnu-debuglink=libc.so.debug ../libc.so)
}

# musl's specs file with the sysroot's place left to an environment variable, and a wrapper that sets it.
install_wrapper() {
    sh "$source/tools/musl-gcc.specs.sh" @SYSROOT@/include @SYSROOT@/lib "/lib/$loader" |
        sed 's,@SYSROOT@\([^ }]*\),%:getenv(DRUPE_SYSROOT \1),g' >"$sysroot/lib/musl-gcc.specs"
    cat >"$sysroot/bin/musl-gcc" <<-END
	#!/bin/sh
	DRUPE_SYSROOT=\$(cd "\$(dirname "\$(readlink -f "\$0")")/.." && pwd) || exit 1
	export DRUPE_SYSROOT
	exec ${CROSS}gcc "\$@" -specs "\$DRUPE_SYSROOT/lib/musl-gcc.specs"
	END
    chmod 755 "$sysroot/bin/musl-gcc"
}

rm -rf "$work" "$sysroot"
mkdir -p "$work" "$sysroot/bin"
cd "$work"
"$source/configure" --target=riscv64-linux-musl --prefix= --syslibdir=/lib --disable-wrapper \
    CROSS_COMPILE="$CROSS" CC="${CROSS}gcc" CFLAGS="-O2 -g -ffile-prefix-map=$source=musl"
# One compilation for both libraries: position-independent code does for programs that are linked statically, too.
make -j"$(nproc)" 'AOBJS=$(LOBJS)' install DESTDIR="$sysroot"
ln -sf libc.so "$sysroot/lib/$loader"
install_uapi
install_debug
install_wrapper
rm -rf "$final"
mv "$sysroot" "$final"
