# SPDX-License-Identifier: MIT
#
# The default root: programs compiled for it go to $(ROOT), a tree of its own shape; rootfs/manifest says what
# of that and of rootfs/etc goes into the archive, and drupe pack adds the libraries and the loader.

ROOT := $(B)/rootfs
ROOT_CC := $(SYSROOT)/bin/musl-gcc
ROOT_CFLAGS := -std=gnu11 -Os -g -Wall -Wextra -Werror -ffile-prefix-map=$(CURDIR)=.

ROOT_PROGRAMS := $(ROOT)/bin/busybox $(ROOT)/usr/bin/demo $(ROOT)/usr/lib/libdemo.so $(ROOT)/usr/lib/demo/tree.so

$(ROOT)/bin/busybox: $(BUSYBOX_STAMP)
	@mkdir -p $(@D)
	@cp $(B)/deps/busybox/busybox $@

$(ROOT)/usr/lib/libdemo.so: rootfs/demo/canvas.c rootfs/demo/demo.h $(MUSL_STAMP)
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(ROOT_CC) $(ROOT_CFLAGS) -shared -fPIC -Wl,-soname,libdemo.so -o $@ $<

$(ROOT)/usr/lib/demo/%.so: rootfs/demo/%.c rootfs/demo/demo.h $(ROOT)/usr/lib/libdemo.so
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(ROOT_CC) $(ROOT_CFLAGS) -shared -fPIC -o $@ $< $(ROOT)/usr/lib/libdemo.so -lm

$(ROOT)/usr/bin/demo: rootfs/demo/demo.c rootfs/demo/demo.h $(ROOT)/usr/lib/libdemo.so
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(ROOT_CC) $(ROOT_CFLAGS) -o $@ $< $(ROOT)/usr/lib/libdemo.so

# The manifest with busybox's links, but for those that the manifest itself makes.
$(B)/root.manifest: rootfs/manifest $(BUSYBOX_STAMP)
	@{ cat $<; sed 's,.*,slink & /bin/busybox 777 0 0,' $(B)/deps/busybox/busybox.links; } >$@.tmp
	@mv $@.tmp $@

$(B)/root.cpio: $(B)/root.manifest $(B)/drupe $(ROOT_PROGRAMS) $(wildcard rootfs/etc/*)
	$(call say,PACK,$@) ROOT=$(ROOT) ETC=rootfs/etc $(B)/drupe pack --bare --sysroot $(SYSROOT) --sysroot $(ROOT) --manifest $< -o $@

rootfs: $(B)/root.cpio ## build the default archive
.PHONY: rootfs
