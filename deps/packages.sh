# SPDX-License-Identifier: MIT
#
# Packages of a suite's riscv64 port and all they depend on, through a private apt (apt.sh, which is sourced before). Sourced by
# trixie.sh; `drupe root` has both files in it.

packages_log=$DRUPE_CACHE/packages.log

# packages_unavailable WHY: says so, and ends with status 75.
packages_unavailable() {
    echo "deps: Debian $packages_suite's riscv64 packages cannot be had: $1; apt-get said:" >&2
    sed 's/^/  /' "$packages_log" >&2
    apt_advice
    exit 75
}

# packages_download PACKAGE...: into the cache, and the names of the .deb files into the file "closure". Nothing is installed in this
# apt's eyes, so what it would fetch with an empty cache is the whole closure.
packages_download() {
    apt-get -qq --print-uris -o Dir::Cache::Archives="$packages_apt/none" install "$@" 2>"$packages_log" |
        cut -d' ' -f2 >"$packages_apt/closure"
    [ -s "$packages_apt/closure" ] && apt-get -qq --download-only install "$@" >"$packages_log" 2>&1
}

# packages_fetch SUITE PACKAGE...: the paths of the .deb files, a line each, on standard output. Keeps the cache locked to the end.
packages_fetch() {
    packages_suite=$1
    packages_apt=$DRUPE_CACHE/apt-$1-riscv64
    shift
    mkdir -p "$DRUPE_CACHE"
    exec 9>"$DRUPE_CACHE/lock"
    flock 9
    : >"$packages_log"
    apt_setup "$packages_apt" "$packages_suite" deb riscv64 || packages_unavailable "no Debian archive in the apt sources"
    mkdir -p "$packages_apt/none/partial"
    if ! packages_download "$@"; then
        echo "deps: reading Debian $packages_suite's list of riscv64 packages" >&2
        apt-get -qq update >"$packages_log" 2>&1 || packages_unavailable "the lists could not be read"
        echo "deps: downloading $* and what they need" >&2
        packages_download "$@" || packages_unavailable "the download failed"
    fi
    sed "s,^,$packages_apt/cache/archives/," "$packages_apt/closure"
}
