# tools/: the `drupe` command, for the host; a second build under ASan and UBSan for the tests.
DRUPE_SRC   := $(wildcard tools/drupe/*.c tools/drupe/*/*.c)
DRUPE_PACKAGES := libelf nettle liblzma
DRUPE_LIBS_CFLAGS := $(shell pkg-config --cflags $(DRUPE_PACKAGES) libarchive 2>/dev/null)
DRUPE_LIBS    := $(or $(shell pkg-config --libs $(DRUPE_PACKAGES) 2>/dev/null),-lelf -lnettle -llzma)
DRUPE_CFLAGS  := $(HOST_WARNINGS) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -Itools/drupe $(DRUPE_LIBS_CFLAGS) \
	-isystem $(ZLIB_DIR) -isystem $(ZSTD_DIR) -isystem $(LZ4_DIR)
# (It has compressors of its own, which libarchive must not take for its.)
DRUPE_LDFLAGS  := -Wl,--version-script=tools/drupe/symbols.map
DRUPE_SANITIZE := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

DRUPE_OUTSIDE_OBJ := $(HOST_OUTSIDE_OBJ) $(OUTSIDE_COMPRESS_SRC:$(B)/deps/%.c=$(B)/host/outside/%.o) \
	$(B)/host/run_init.o $(B)/host/scripts.o
DRUPE_OBJ      := $(DRUPE_SRC:%.c=$(B)/host/%.o)
DRUPE_ASAN_OBJ := $(DRUPE_SRC:%.c=$(B)/host/asan/%.o) $(LIB_SRC:%.c=$(B)/host/asan/%.o)

$(B)/host/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOSTCC) $(DRUPE_CFLAGS) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

# The init of `drupe run`, a program for the guest, is a part of the command. It is where no other program is, for a debugger's breakpoints.
GUEST_SRC := $(wildcard tools/guest/*.c)
$(B)/guest/init: $(GUEST_SRC) tools/tools.mk $(wildcard tools/guest/*.h) lib/cpio.h lib/demand.h lib/metadata.h $(MUSL_STAMP)
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(SYSROOT)/bin/musl-gcc -std=gnu11 -Os -s -Wall -Wextra -Werror -static -Wl,-Ttext-segment=0x60000000 -I. -o $@ $(GUEST_SRC)

# And the firmware under it.
FIRMWARE_SRC := $(wildcard tools/firmware/*.[cS])
FIRMWARE_CFLAGS := -std=gnu11 -Os -g -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -mcmodel=medany -march=rv64imac_zicsr_zifencei -mabi=lp64 -I. \
	-Wl,--build-id=none,--no-warn-rwx-segments,-T,tools/firmware/firmware.ld
$(B)/firmware/firmware.elf: $(FIRMWARE_SRC) tools/firmware/firmware.h tools/firmware/firmware.ld
	@mkdir -p $(@D)
	$(call say,CC,$@) $(CROSS)gcc $(FIRMWARE_CFLAGS) -o $@ $(FIRMWARE_SRC)

$(B)/firmware/firmware.bin: $(B)/firmware/firmware.elf
	$(call say,OBJCOPY,$@) $(CROSS)objcopy -O binary $< $@

$(B)/host/run_init.o: tools/drupe/machine/run_init.S $(B)/guest/init $(B)/firmware/firmware.bin
	@mkdir -p $(@D)
	$(call say,HOSTAS,$<) $(HOSTCC) -DINIT='"$(B)/guest/init"' -DFIRMWARE='"$(B)/firmware/firmware.bin"' -c $< -o $@

# So are the scripts that find packages.
$(B)/host/scripts.o: tools/drupe/root/scripts.S deps/apt.sh deps/packages.sh
	@mkdir -p $(@D)
	$(call say,HOSTAS,$<) $(HOSTCC) -c $< -o $@

$(B)/drupe: $(DRUPE_OBJ) $(LIB_HOST_OBJ) $(DRUPE_OUTSIDE_OBJ)
	$(call say,HOSTLD,$@) $(HOSTCC) $(HOST_CFLAGS) $(DRUPE_LDFLAGS) $^ $(DRUPE_LIBS) -o $@.tmp && mv $@.tmp $@

$(B)/host/asan/%.o: %.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOSTCC) $(DRUPE_CFLAGS) $(DRUPE_SANITIZE) $(call outside_include,$<) -MMD -MP -c $< -o $@

$(B)/host/asan/drupe: $(DRUPE_ASAN_OBJ) $(DRUPE_OUTSIDE_OBJ)
	$(call say,HOSTLD,$@) $(HOSTCC) $(DRUPE_SANITIZE) $(DRUPE_LDFLAGS) $^ $(DRUPE_LIBS) -o $@

$(DRUPE_OBJ) $(DRUPE_ASAN_OBJ): | $(OUTSIDE_SOURCES)

-include $(DRUPE_OBJ:.o=.d) $(DRUPE_ASAN_OBJ:.o=.d)

docs/abi.md: kernel/sys/syscalls.def kernel/sys/absent.def tools/abi-doc ## make the table of system calls from kernel/sys/syscalls.def
	tools/abi-doc >$@.tmp && mv $@.tmp $@
