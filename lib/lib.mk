# lib/: the sources that host and kernel share, and the host's archive of them. Each side compiles them with its own flags.
LIB_SRC := lib/cpio.c lib/elf.c lib/path.c lib/text.c lib/unpack.c

HOSTCC ?= gcc
HOST_CFLAGS ?= -O2 -g
HOST_WARNINGS := -std=gnu11 -Wall -Wextra -Wshadow -Wvla $(WERROR)

LIB_HOST_OBJ := $(LIB_SRC:lib/%.c=$(B)/host/lib/%.o)

$(B)/host/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOSTCC) $(HOST_WARNINGS) $(HOST_CFLAGS) -I. -MMD -MP -c $< -o $@

-include $(LIB_HOST_OBJ:.o=.d)
