#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh [--check] GROUP...: sees to it that the machine has what the groups "build" (build and run), "example" (what
# make example-NAME needs besides) and "test" need, by apt-get on Debian and its like. Quick, silent and without effect if all is there. With
# --check it installs nothing. Exit status 1, with a word on what to do, if something is still missing.
# SETUP=no in the environment: does nothing at all, for machines set up by hand.

set -u
progress=$(dirname "$0")/progress

# GROUP PACKAGE WITNESS PURPOSE. WITNESS is a file that shows that the thing is there, "-" asks dpkg for the
# package. With a witness, PACKAGE may list alternatives, a|b, of which the first that apt knows is installed.
needs() {
    cat <<'END'
build make /usr/bin/make to run the Makefile
build gcc - host compiler, for the drupe command
build libc6-dev - host C library headers
build libelf-dev - to read ELF files in the drupe command
build nettle-dev - SHA-256 in the drupe command
build liblzma-dev - to compress with xz in the drupe command
build libarchive-dev - tars and images as roots of the drupe command
build libbsd-dev - sys/tree.h
build pkg-config|pkgconf /usr/bin/pkg-config to find these libraries
build gcc-riscv64-linux-gnu - cross compiler
build binutils-riscv64-linux-gnu - cross assembler and linker
build linux-libc-dev-riscv64-cross - Linux's uapi headers
build dpkg-dev - to fetch and unpack source packages
build patch - to apply the patches of source packages
build bzip2 - to unpack source packages
build xz-utils - to unpack source packages
build python3 /usr/bin/python3 build scripts
build qemu-system-riscv|qemu-system-misc /usr/bin/qemu-system-riscv64 QEMU, the machine to run on
build opensbi - OpenSBI, its firmware
example cpio /usr/bin/cpio to look into the roots of examples
test python3-pytest - tests
test python3-pexpect - tests on the console
test libcmocka-dev - unit tests
test libc6-dev-riscv64-cross - programs for glibc, to run them
test cpio - archives of GNU cpio, to test against
test libarchive-tools - archives of bsdcpio, to test against
test patchelf - programs whose libraries are moved, to ask their loaders
test zstd - compressed archives, to test with
test lz4 - compressed archives, to test with
test clang - fuzzers and the static analyser
test libclang-rt-dev - fuzzers and sanitizers
test clang-format - the format check
test clang-tidy - the static analyser
test file - to look at what was built
test cmake - ctest with drupe run as its emulator
test meson - meson with drupe run as its wrapper
test git /usr/bin/git the checks list the project's files
test gdb-multiarch - make gdb
test u-boot-qemu - images booted by U-Boot
test mandoc - the check of the manual pages
test zsh - its completion
test fish - its completion
END
}

# wanted GROUP...: the table's lines of these groups
wanted() {
    needs | while read -r group rest; do
        case " $* " in
        *" $group "*) echo "$rest" ;;
        esac
    done
}

# missing GROUP...: the packages that are not there, a line each with their alternatives. One call of
# dpkg-query in all.
missing() {
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p')
    installed=" $(echo "$installed" | tr '\n' ' ')"
    wanted "$@" | while read -r packages witness purpose; do
        case $witness in
        /*) [ -e "$witness" ] && continue ;;
        *) case $installed in *" $packages "*) continue ;; esac ;;
        esac
        echo "$packages"
    done
}

# choose ALTERNATIVES...: of each, the first package that apt can install
choose() {
    for packages; do
        for package in $(echo "$packages" | tr '|' ' '); do
            if apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]'; then
                break
            fi
        done
        echo "$package"
    done
}

install() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        if ! command -v sudo >/dev/null; then
            # shellcheck disable=SC2046
            printf 'setup: packages are missing, and there is no sudo here. As root, run:\n\n  %s\n\n' \
                "apt-get update && apt-get install -y $(echo $(choose "$@"))" >&2
            return 1
        fi
    fi
    echo "setup: installing what is missing: $*"
    [ -z "$as_root" ] || $as_root apt-get --version >/dev/null # a password is asked for here, not in the midst of the rest
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    if ! "$progress" "setup: apt-get update" "$log" $as_root apt-get -q update; then
        cat "$log" >&2
        echo "setup: apt-get update failed; going on with the lists that are there" >&2
    fi
    # shellcheck disable=SC2046
    set -- $(choose "$@")
    if ! "$progress" "setup: apt-get install" "$log" \
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends "$@"; then
        tail -n 30 "$log" >&2
        printf 'setup: could not install all that is missing. Try as root:\n\n  %s\n\n' \
            "apt-get update && apt-get install -y $*" >&2
        return 1
    fi
}

check_only=no
if [ "${1:-}" = --check ]; then
    check_only=yes
    shift
fi
[ $# -gt 0 ] || { echo "usage: setup.sh [--check] build|example|test..." >&2; exit 2; }
[ "${SETUP:-}" != no ] || exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "setup: this machine is not Debian or like it, so set-up is by hand. Needed (Debian's package names):" >&2
    wanted "$@" | while read -r packages witness purpose; do
        printf '  %-32s %s\n' "$packages" "$purpose" >&2
    done
    echo "and the source packages of deps/pins in the cache (deps/README.md). SETUP=no make ... skips this check." >&2
    exit 1
fi

lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0
if [ $check_only = yes ]; then
    echo "setup: missing packages:" $lacking >&2
    echo "setup: \"make setup\" installs them (\"make run\" and \"make test\" do so by themselves)" >&2
    exit 1
fi
# shellcheck disable=SC2086
install $lacking
