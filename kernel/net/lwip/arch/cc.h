// SPDX-License-Identifier: MIT
// What lwIP has to know of the compiler and of the kernel around it.
#pragma once
#include "lib/types.h"

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1
#define X8_F               "02x"
#define U16_F              "u"
#define S16_F              "d"
#define X16_F              "x"
#define U32_F              "u"
#define S32_F              "d"
#define X32_F              "x"
#define SZT_F              "lu"
#ifndef SSIZE_MAX
#define SSIZE_MAX INT64_MAX
#endif
#ifndef BYTE_ORDER
#define LITTLE_ENDIAN 1234
#define BIG_ENDIAN    4321
#define BYTE_ORDER    LITTLE_ENDIAN
#endif

void inet_assertion_failed(const char *what) __attribute__((noreturn));
#define LWIP_PLATFORM_DIAG(x)      ((void)0)
#define LWIP_PLATFORM_ASSERT(what) inet_assertion_failed(what)

unsigned short net_sum(const void *data, unsigned long n); // net/checksum.h
unsigned int inet_random(void);
unsigned int sys_now(void); // ms, of what statistics say
#define LWIP_RAND() inet_random()

void *inet_malloc(size_t size);
void *inet_calloc(size_t n, size_t size);
void inet_free(void *memory);
