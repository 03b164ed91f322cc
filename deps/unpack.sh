#!/bin/sh
# SPDX-License-Identifier: MIT
#
# unpack.sh NAME DIR: fetches what deps/pins names for the source package NAME and unpacks it into DIR, with
# Debian's patches if the pin is a .dsc. DIR is replaced.

set -eu
[ $# -eq 2 ] || { echo "usage: unpack.sh NAME DIR" >&2; exit 2; }
file=$("$(dirname "$0")/fetch.sh" "$1")

unpack() {
    case $1 in
    # The maintainer's signature is not asked for: Debian's archive key has stood for it.
    *.dsc) dpkg-source --no-copy -x "$1" "$2" ;;
    *) mkdir "$2" && tar -xf "$1" -C "$2" --strip-components=1 ;;
    esac
}

rm -rf "$2"
mkdir -p "$(dirname "$2")"
if ! log=$(unpack "$file" "$2" 2>&1); then
    printf '%s\n' "$log" >&2
    echo "deps: cannot unpack $file; delete it to have it fetched again" >&2
    exit 1
fi
