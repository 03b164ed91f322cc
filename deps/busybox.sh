#!/bin/sh
# SPDX-License-Identifier: MIT
#
# busybox.sh SOURCE WORK SYSROOT FRAGMENT: builds busybox out of tree in WORK with SYSROOT's compiler. The
# configuration is busybox's defconfig overridden by FRAGMENT, whose every line must survive. Leaves
# WORK/busybox and WORK/busybox.links (the names it answers to, one absolute path a line).
#
# Environment: CROSS, HOSTCC.

set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL # the flags of our own make are not for this one
[ $# -eq 4 ] || { echo "usage: busybox.sh SOURCE WORK SYSROOT FRAGMENT" >&2; exit 2; }
source=$(realpath "$1")
work=$(realpath -m "$2")
sysroot=$(realpath "$3")
fragment=$(realpath "$4")

# The compiler as SYSROOT/bin/musl-gcc calls it, without a shell for each file. No LDLIBS: musl has all in one library, and busybox links
# again and again to find that out.
build() {
    DRUPE_SYSROOT=$sysroot make -j"$(nproc)" -C "$source" O="$work" CROSS_COMPILE="${CROSS:-riscv64-linux-gnu-}" LDLIBS= \
        CC="${CROSS:-riscv64-linux-gnu-}gcc -specs $sysroot/lib/musl-gcc.specs" HOSTCC="${HOSTCC:-gcc}" quiet=quiet_ "$@"
}

# Puts the fragment's settings in place of those of .config.
apply_fragment() {
    awk '
    function setting(line) { return match(line, /CONFIG_[A-Za-z0-9_]+/) ? substr(line, RSTART, RLENGTH) : "" }
    NR == FNR { if (/^(# )?CONFIG_/) { set[setting($0)] = 1; print } next }
    !(setting($0) in set)' "$fragment" "$work/.config" >"$work/.config.new"
    mv "$work/.config.new" "$work/.config"
}

# oldconfig drops silently what it does not know.
check_fragment() {
    grep -E '^(# )?CONFIG_' "$fragment" | while IFS= read -r line; do
        if ! grep -qxF "$line" "$work/.config"; then
            echo "deps: $fragment: busybox did not accept: $line" >&2
            exit 1
        fi
    done
}

rm -rf "$work"
mkdir -p "$work"
build defconfig
apply_fragment
yes "" | build oldconfig
check_fragment
build busybox busybox.links
