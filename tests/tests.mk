# tests/: each folder has its own fragment. A suite is a target that runs tests, goes on after failures, and leaves one line
# "passed failed skipped" in $(B)/test/NAME.result (what was skipped: a line each in NAME.skipped); it adds its name to
# TEST_SUITES, or to PATIENT_SUITES if none of its tests minds being slow (the Makefile says why).
PYTHON ?= /usr/bin/python3

# The unit tests in C, in tests/unit.
UNIT_TESTS := attributes cpio unpack refusal decompress elf path

# $(call unit_rules,DIR,COMPILER,FLAGS,OUTSIDE): how the unit tests, unpack-to-text and the fuzz targets (run on files instead of
# by libFuzzer) are made under DIR, with objects OUTSIDE of the compressors' libraries.
define unit_rules
$(1)/%.o: %.c | $$(OUTSIDE_SOURCES)
	@mkdir -p $$(@D)
	$$(call say,HOSTCC,$$<) $(2) $$(HOST_WARNINGS) -D_GNU_SOURCE -g $(3) -I. -Itests/unit $$(call outside_include,$$<) -MMD -MP -c $$< -o $$@

$(1)/common := $$(LIB_SRC:%.c=$(1)/%.o) $(1)/tests/unit/archive.o $(1)/tests/unit/model.o $(4)

$(UNIT_TESTS:%=$(1)/test_%): $(1)/test_%: $(1)/tests/unit/test_%.o $$($(1)/common)
	$$(call say,HOSTLD,$$@) $(2) $(3) $$^ -lcmocka -o $$@

$(1)/unpack-to-text: $(1)/tests/unit/unpack-to-text.o $$($(1)/common)
	$$(call say,HOSTLD,$$@) $(2) $(3) $$^ -o $$@

$(1)/fuzz_%: $(1)/tests/fuzz/fuzz_%.o $(1)/tests/fuzz/run_files.o $$($(1)/common)
	$$(call say,HOSTLD,$$@) $(2) $(3) $$^ -o $$@

.PRECIOUS: $(1)/%.o
-include $$(wildcard $(1)/*/*.d $(1)/*/*/*.d)
endef

include $(sort $(wildcard tests/*/*.mk))
