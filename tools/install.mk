# SPDX-License-Identifier: MIT
#
# Installing: the command, the kernel that it finds by its own place (image_default_kernel()), one without a root for roots of
# one's own (-initrd), the manual pages, completion.
PREFIX ?= /usr/local
DESTDIR ?=

# FROM:TO, below PREFIX; installing and removing go by this one list. The command alone is executable.
INSTALLED := $(B)/drupe:bin/drupe \
	$(B)/Image:lib/drupe/Image \
	$(B)/drupe.elf:lib/drupe/drupe.elf \
	$(B)/bare/Image:lib/drupe/Image.bare \
	$(foreach page,$(sort $(wildcard man/*.1)),$(page):share/man/man1/$(notdir $(page))) \
	completion/drupe.bash:share/bash-completion/completions/drupe \
	completion/_drupe:share/zsh/site-functions/_drupe \
	completion/drupe.fish:share/fish/vendor_completions.d/drupe.fish

install: all bare-kernel ## install drupe, the kernel, manual pages, completion (PREFIX=/usr/local DESTDIR=)
	@set -e; for pair in $(INSTALLED); do \
		to='$(DESTDIR)$(PREFIX)'/$${pair#*:}; \
		case $$to in */bin/*) mode=755 ;; *) mode=644 ;; esac; \
		install -D -m $$mode "$${pair%%:*}" "$$to"; \
		echo "  INSTALL $$to"; done

uninstall: ## remove what was installed (the same PREFIX= and DESTDIR=)
	@set -e; for pair in $(INSTALLED); do \
		to='$(DESTDIR)$(PREFIX)'/$${pair#*:}; \
		rm -f "$$to"; \
		echo "  REMOVE  $$to"; done
	@rmdir '$(DESTDIR)$(PREFIX)/lib/drupe' 2>/dev/null || true

.PHONY: install uninstall
