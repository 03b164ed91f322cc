# The compressors' own libraries, compiled once for the kernel and once for the host, and included by one file each of
# lib/decompress. XZ Embedded comes with busybox's source.
ZLIB_DIR := $(B)/deps/zlib-source
ZSTD_DIR := $(B)/deps/libzstd-source/lib
LZ4_DIR  := $(B)/deps/lz4-source/lib
XZ_DIR   := $(B)/deps/busybox-source/archival/libarchive/unxz
OUTSIDE_SOURCES := $(patsubst %,$(B)/deps/%.source,zlib libzstd lz4 busybox)

OUTSIDE_SRC := $(addprefix $(ZLIB_DIR)/,adler32.c crc32.c inffast.c inflate.c inftrees.c zutil.c) \
	$(addprefix $(ZSTD_DIR)/,common/entropy_common.c common/error_private.c common/fse_decompress.c common/xxhash.c common/zstd_common.c \
		decompress/huf_decompress.c decompress/zstd_ddict.c decompress/zstd_decompress.c decompress/zstd_decompress_block.c) \
	$(addprefix $(LZ4_DIR)/,lz4.c xxhash.c)

# For the packer, which compresses.
OUTSIDE_COMPRESS_SRC := $(addprefix $(ZLIB_DIR)/,deflate.c trees.c) $(LZ4_DIR)/lz4hc.c \
	$(addprefix $(ZSTD_DIR)/,common/debug.c common/pool.c common/threading.c) \
	$(addprefix $(ZSTD_DIR)/compress/,fse_compress.c hist.c huf_compress.c zstd_compress.c zstd_compress_literals.c zstd_compress_sequences.c \
		zstd_compress_superblock.c zstd_double_fast.c zstd_fast.c zstd_lazy.c zstd_ldm.c zstd_opt.c)

# Without stdio, assembly, old formats and traces. Each has a hash of the same name.
OUTSIDE_FLAGS := -w -DZ_SOLO -DZSTD_LEGACY_SUPPORT=0 -DZSTD_DISABLE_ASM -DZSTD_TRACE=0 -DDEBUGLEVEL=0 -DLZ4_HEAPMODE=0

# What lib/decompress calls.
OUTSIDE_API := inflateInit2_ inflate inflateEnd crc32_z ZSTD_createDStream_advanced ZSTD_DCtx_setParameter ZSTD_decompressStream \
	ZSTD_freeDStream ZSTD_isError ZSTD_getErrorCode LZ4_decompress_safe_usingDict LZ4_XXH32

# $(call outside_obj,DIR): the objects under DIR.
outside_obj = $(OUTSIDE_SRC:$(B)/deps/%.c=$(1)/outside/%.o)

# $(call outside_rule,DIR,COMMAND): how they are made there.
define outside_rule
$(1)/outside/%.o: $(B)/deps/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$*.c) $(2) $$(OUTSIDE_FLAGS) $$(if $$(findstring libzstd,$$*),-DXXH_NAMESPACE=ZSTD_,-DXXH_NAMESPACE=LZ4_) -c $$< -o $$@
endef

# The sources appear when their stamps are made.
$(OUTSIDE_SRC) $(OUTSIDE_COMPRESS_SRC): | $(OUTSIDE_SOURCES) ;

# What the four files of ours need to see. (-isystem: no warnings from there.)
OUTSIDE_INCLUDE := -isystem $(ZLIB_DIR) -isystem $(ZSTD_DIR) -isystem $(LZ4_DIR) -isystem $(XZ_DIR)
outside_include = $(if $(findstring /zstd,$(1)),-isystem $(ZSTD_DIR))$(if $(findstring /lz4,$(1)),-isystem $(LZ4_DIR))$(if $(findstring /gzip,$(1)),-isystem $(ZLIB_DIR))$(if $(findstring /xz,$(1)),-isystem $(ZLIB_DIR) -isystem $(XZ_DIR))
