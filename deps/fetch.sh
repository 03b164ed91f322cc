#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch.sh NAME: makes sure that what deps/pins (or pins.programs) names for the Debian source package NAME is in the cache and
# intact; prints the path of the pinned file.
#
# Trust: apt checks the archive's signature; the pinned file must also have the hash in deps/pins, and if it
# is a .dsc, each file of the package the hash in there.

set -eu
here=$(realpath "$(dirname "$0")")
progress=$here/../tools/progress
. "$here/apt.sh"
store=$DRUPE_CACHE/source

# is_intact FILE SHA256
is_intact() {
    echo "$2  $store/$1" | sha256sum --check --status 2>/dev/null || return 1
    case $1 in
    *.dsc) awk '/^[^ ]/ { on = /^Checksums-Sha256:/ } on && NF == 3 { print $1 "  " $3 }' "$store/$1" |
        (cd "$store" && sha256sum --check --status --strict 2>/dev/null) ;;
    esac
}

# update SUITE: reads the archive's lists. One bad source among several is no harm as long as the package can
# be had.
update() {
    echo "deps: reading Debian $1's list of sources" >&2
    "$progress" "deps: reading Debian $1's list of sources" "$DRUPE_CACHE/update.log" apt-get -q update >&2 || true
}

# download NAME VERSION FILE: into a directory of its own first, so that the cache only ever gains whole
# packages.
download() {
    new=$store/new
    case $3 in
    *.dsc) only=--download-only ;;
    *) only=--tar-only ;;
    esac
    rm -rf "$new"
    mkdir -p "$new"
    (cd "$new" && "$progress" "deps: downloading $1" "$DRUPE_CACHE/download.log" \
        apt-get -q source --download-only $only "$1=$2") >&2 || return 1
    mv -f "$new"/* "$store/"
    rmdir "$new"
}

# fetch NAME VERSION SUITE FILE SHA256
fetch() {
    apt_setup "$DRUPE_CACHE/apt-$3-source" "$3" deb-src || { apt_advice; return 1; }
    : >"$DRUPE_CACHE/update.log"
    echo "deps: downloading source package $1 $2" >&2
    # Lists of an earlier run may still do; if not, fresh ones are read.
    if ! download "$1" "$2" "$4" && ! { update "$3" && download "$1" "$2" "$4"; }; then
        echo "deps: cannot download source package $1 $2 of Debian $3; apt-get said:" >&2
        sed 's/^/  /' "$DRUPE_CACHE/update.log" "$DRUPE_CACHE/download.log" >&2
        now=$(apt-cache showsrc --only-source "$1" 2>/dev/null | sed -n 's/^Version: //p' | sort -uV | tail -n 1)
        [ "${now:-$2}" = "$2" ] || echo "deps: Debian $3 has version $now now; deps/pins tells how to raise a pin" >&2
        apt_advice
        return 1
    fi
    if ! is_intact "$4" "$5"; then
        echo "deps: $store/$4 is not what deps/pins expects (sha256 $5)" >&2
        return 1
    fi
}

pin=$(grep -h "^${1:-?} " "$here/pins" "$here/pins.programs") || {
    echo "usage: fetch.sh NAME, one of:" $(sed '/^#/d; s/ .*//' "$here/pins" "$here/pins.programs") >&2
    exit 2
}
mkdir -p "$store"
exec 9>"$DRUPE_CACHE/lock"
flock 9
echo "$pin" | {
    read -r name version suite file hash
    is_intact "$file" "$hash" || fetch "$name" "$version" "$suite" "$file" "$hash"
    echo "$store/$file"
}
