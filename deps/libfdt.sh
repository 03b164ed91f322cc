#!/bin/sh
# SPDX-License-Identifier: MIT
#
# libfdt.sh SOURCE DIR: puts libfdt's sources and headers of the unpacked device-tree-compiler SOURCE into
# DIR. The kernel compiles them (deps/README.md).

set -eu
[ $# -eq 2 ] || { echo "usage: libfdt.sh SOURCE DIR" >&2; exit 2; }
rm -rf "$2"
mkdir -p "$2"
cp "$1"/libfdt/*.[ch] "$2/"
