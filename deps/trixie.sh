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
root=$1
shift
apt=$DRUPE_CACHE/apt-trixie-riscv64

unavailable() {
    echo "deps: Debian 13's riscv64 packages cannot be had: $*; apt-get said:" >&2
    sed 's/^/  /' "$DRUPE_CACHE/trixie.log" >&2
    apt_advice
    exit 75
}

# download PACKAGE...: PACKAGEs and all they depend on into the cache, and the names of the .deb files into
# the file "closure". Nothing is installed in this apt's eyes, so what it would fetch with an empty cache is
# the whole closure.
download() {
    apt-get -qq --print-uris -o Dir::Cache::Archives="$apt/none" install "$@" 2>"$DRUPE_CACHE/trixie.log" |
        cut -d' ' -f2 >"$apt/closure"
    [ -s "$apt/closure" ] && apt-get -qq --download-only install "$@" >"$DRUPE_CACHE/trixie.log" 2>&1
}

# extract ROOT: the closure's files, in a tree whose /bin, /lib and /sbin point into /usr as the packages
# expect.
extract() {
    mkdir -p "$1/usr/bin" "$1/usr/lib" "$1/usr/sbin"
    for dir in bin lib sbin; do
        ln -s "usr/$dir" "$1/$dir"
    done
    while read -r deb; do
        dpkg-deb --extract "$apt/cache/archives/$deb" "$1"
    done <"$apt/closure"
}

mkdir -p "$DRUPE_CACHE"
exec 9>"$DRUPE_CACHE/lock"
flock 9
: >"$DRUPE_CACHE/trixie.log"
apt_setup "$apt" trixie deb riscv64 || unavailable "no Debian archive in the apt sources"
mkdir -p "$apt/none/partial"
if ! download "$@"; then
    echo "deps: reading Debian trixie's list of riscv64 packages" >&2
    apt-get -qq update >"$DRUPE_CACHE/trixie.log" 2>&1 || unavailable "the lists could not be read"
    echo "deps: downloading $* and what they need" >&2
    download "$@" || unavailable "the download failed"
fi
rm -rf "$root" "$root.tmp"
extract "$root.tmp"
mv "$root.tmp" "$root"
