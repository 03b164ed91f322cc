// SPDX-License-Identifier: MIT
// Finds functions in the embedded vDSO.
#include "arch/riscv/trap.h"
#include "lib/string.h"
#include <linux/elf.h>

// Trusts the image: it is part of the kernel.
unsigned long vdso_sigreturn_offset(void) {
    static unsigned long found;
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)vdso_start;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(vdso_start + eh->e_phoff);
    const Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    const uint32_t *hash = NULL;
    if (found)
        return found;
    while (ph->p_type != PT_DYNAMIC)
        ph++;
    for (const Elf64_Dyn *d = (const Elf64_Dyn *)(vdso_start + ph->p_offset); d->d_tag != DT_NULL; d++) {
        const void *at = vdso_start + d->d_un.d_ptr;
        if (d->d_tag == DT_SYMTAB)
            symbols = at;
        else if (d->d_tag == DT_STRTAB)
            names = at;
        else if (d->d_tag == DT_HASH)
            hash = at;
    }
    if (!symbols || !names || !hash)
        return 0; // an image without a symbol table has no functions
    for (uint32_t i = 0; i < hash[1]; i++) {
        if (!strcmp(names + symbols[i].st_name, "__vdso_rt_sigreturn"))
            found = symbols[i].st_value;
    }
    return found;
}
