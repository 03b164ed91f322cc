# SPDX-License-Identifier: MIT
# Turns the marks that offsets.c.in leaves in the compiler's output into #defines.
match($0, /->[A-Z_0-9]+ [0-9]+/) {
    split(substr($0, RSTART + 2, RLENGTH - 2), part, " ")
    print "#define", part[1], part[2]
}
