#!/bin/sh
# SPDX-License-Identifier: MIT
#
# trixie.sh DIR PACKAGE...: makes DIR a root directory with PACKAGEs of Debian 13's riscv64 port and all they
# depend on, extracted and not configured. No package script runs.
#
# Exit status 75: they cannot be had here (no network, no such suite on the mirror); 1: anything else.

set -eu
[ $# -ge 2 ] || { echo "usage: trixie.sh DIR PACKAGE..." >&2; exit 2; }
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/packages.sh"
root=$1
shift

# extract ROOT: the packages' files, in a tree whose /bin, /lib and /sbin point into /usr as the packages
# expect.
extract() {
    mkdir -p "$1/usr/bin" "$1/usr/lib" "$1/usr/sbin"
    for dir in bin lib sbin; do
        ln -s "usr/$dir" "$1/$dir"
    done
    while read -r deb; do
        dpkg-deb --extract "$deb" "$1"
    done <"$root.debs"
}

mkdir -p "$(dirname "$root")"
packages_fetch trixie "$@" >"$root.debs"
rm -rf "$root" "$root.tmp"
extract "$root.tmp"
rm "$root.debs"
mv "$root.tmp" "$root"
