// SPDX-License-Identifier: MIT
// The scripts of deps/ that find packages, which `drupe root` hands to a shell.
    .section .rodata
    .globl  package_scripts, package_scripts_end
package_scripts:
    .incbin "deps/apt.sh"
    .incbin "deps/packages.sh"
package_scripts_end:
    .section .note.GNU-stack, "", %progbits
