// SPDX-License-Identifier: MIT
// What sanitized kernels (make SANITIZE=1) do with memory beside what debug builds do:
//   pages    that are free hold a pattern, which is looked at when they are given out: a write after free. A page that is
//            freed rests in quarantine for a while, so that who still uses it meets the pattern.
//   objects  have a red zone behind the bytes that were asked for, which is looked at when they are freed: a write behind
//            the end. They rest in quarantine, too.
// A panic names the page, or the cache and the object.
#pragma once
#include "mm/page.h"

#define SANITIZE_PAGES   256 // in quarantine
#define SANITIZE_OBJECTS 64  // of each cache

#ifdef CONFIG_SANITIZE
#define SANITIZED         true
#define SANITIZE_RED_ZONE 24 // bytes at least, the last 8 of them hold the object's size

void sanitize_block_freed(struct page *page, unsigned int order);
void sanitize_block_taken(struct page *page, unsigned int order);
// Takes a page that is freed into quarantine. The one that comes out instead, or NULL.
struct page *sanitize_rest_page(struct page *page);

// `slot` bytes at `object`, of which `size` are used.
void sanitize_object_taken(void *object, size_t size, size_t slot);
// False: something was written behind its end.
bool __must_check sanitize_object_intact(const void *object, size_t slot);
struct sanitize_rest {
    void *objects[SANITIZE_OBJECTS];
    unsigned int next;
};
void *sanitize_rest_object(struct sanitize_rest *rest, void *object);
#else
#define SANITIZED                                 false
#define SANITIZE_RED_ZONE                         0
#define sanitize_block_freed(page, order)         ((void)0)
#define sanitize_block_taken(page, order)         ((void)0)
#define sanitize_rest_page(page)                  (page)
#define sanitize_object_taken(object, size, slot) ((void)0)
#endif
