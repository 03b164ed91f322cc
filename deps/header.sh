#!/bin/sh
# SPDX-License-Identifier: MIT
#
# header.sh COMPILER NAME: prints where COMPILER finds the header <NAME>. Where a package puts its headers differs
# between distributions, and between releases of one.

set -u
[ $# -eq 2 ] || { echo "usage: header.sh COMPILER NAME" >&2; exit 2; }
said=$(printf '#include <%s>\n' "$2" | $1 -M -x c - 2>&1)
if ! printf '%s\n' "$said" | tr -s ' ' '\n' | grep -m1 "/$2\$"; then
    printf 'deps: %s does not find <%s>:\n%s\n' "$1" "$2" "$said" >&2
    exit 1
fi
