# lib/: the sources that host and kernel share, and the host's archive of them. Each side compiles them with its own flags.
LIB_SRC := lib/cpio.c lib/elf.c lib/magic.c lib/metadata.c lib/path.c lib/text.c lib/unpack.c lib/unpack_attr.c lib/unpack_buffer.c lib/unpack_carry.c $(addprefix lib/decompress/,decompress.c gzip.c lz4.c xz.c zstd.c)
include lib/outside.mk

HOSTCC ?= gcc
HOST_CFLAGS ?= -O2 -g
HOST_WARNINGS := -std=gnu11 -Wall -Wextra -Wshadow -Wvla $(WERROR)

LIB_HOST_OBJ := $(LIB_SRC:lib/%.c=$(B)/host/lib/%.o)

$(B)/host/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOSTCC) $(HOST_WARNINGS) $(HOST_CFLAGS) -I. $(call outside_include,$<) -MMD -MP -c $< -o $@

HOST_OUTSIDE_OBJ := $(call outside_obj,$(B)/host)
$(eval $(call outside_rule,$(B)/host,$(HOSTCC) $(HOST_CFLAGS)))
$(LIB_HOST_OBJ): | $(OUTSIDE_SOURCES)

-include $(LIB_HOST_OBJ:.o=.d)
