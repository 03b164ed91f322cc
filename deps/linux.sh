#!/bin/sh
# SPDX-License-Identifier: MIT
#
# linux.sh DIR: makes DIR/vmlinux, Debian 13's own kernel for riscv64 (the package that linux-image-riscv64 stands
# for, its boot image alone), to compare ours with, and DIR/config and DIR/version, which tell what it is.
#
# Exit status 75: it cannot be had here (no network, no such suite on the mirror); 1: anything else.

set -eu
[ $# = 1 ] || { echo "usage: linux.sh DIR" >&2; exit 2; }
. "$(dirname "$0")/apt.sh"
dir=$1
apt=$DRUPE_CACHE/apt-trixie-riscv64
log=$DRUPE_CACHE/linux.log

unavailable() {
    echo "deps: Debian 13's Linux for riscv64 cannot be had: $*; apt-get said:" >&2
    sed 's/^/  /' "$log" >&2
    apt_advice
    exit 75
}

# The package's real name has the version in it.
package_name() {
    apt-cache show linux-image-riscv64 2>/dev/null | sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | sed -n 1p
}

# download NAME: the package into the cache, if it is not there, and its path into the variable "deb".
download() {
    [ -n "$1" ] || return 1
    mkdir -p "$apt/linux"
    deb=$(find "$apt/linux" -name "$1_*.deb" | sort | tail -n 1)
    [ -z "$deb" ] || return 0
    (cd "$apt/linux" && apt-get -qq download "$1") >"$log" 2>&1 || return 1
    deb=$(find "$apt/linux" -name "$1_*.deb")
}

# extract DEB DIR: what of the package is of use here, a small part.
extract() {
    rm -rf "$2.tmp"
    mkdir -p "$2.tmp"
    dpkg-deb --fsys-tarfile "$1" | tar -xf - -C "$2.tmp" --wildcards './boot/vmlinu*' './boot/config-*' \
        '*/virtio_mmio.ko*' '*/virtio_net.ko*' '*/net_failover.ko*' '*/failover.ko*' \
        '*/9p.ko*' '*/9pnet.ko*' '*/9pnet_virtio.ko*' '*/netfs.ko*'
    mkdir "$2.tmp/modules"
    find "$2.tmp/usr" -name '*.ko*' -exec mv -t "$2.tmp/modules" {} +
    find "$2.tmp/modules" -name '*.xz' -exec xz -d {} +
    rm -r "$2.tmp/usr"
    mv "$2.tmp"/boot/vmlinu* "$2.tmp/vmlinux"
    mv "$2.tmp"/boot/config-* "$2.tmp/config"
    rmdir "$2.tmp/boot"
    basename "$1" .deb >"$2.tmp/version"
    rm -rf "$2"
    mv "$2.tmp" "$2"
}

mkdir -p "$DRUPE_CACHE"
exec 9>"$DRUPE_CACHE/lock"
flock 9
: >"$log"
apt_setup "$apt" trixie deb riscv64 || unavailable "no Debian archive in the apt sources"
if ! download "$(package_name)"; then
    echo "deps: reading Debian trixie's list of riscv64 packages" >&2
    apt-get -qq update >"$log" 2>&1 || unavailable "the lists could not be read"
    echo "deps: downloading linux-image-riscv64 (about 110 MB)" >&2
    download "$(package_name)" || unavailable "the download failed"
fi
extract "$deb" "$dir"
