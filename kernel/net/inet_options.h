// SPDX-License-Identifier: MIT
// Options of AF_INET among their files: inet_options.c (which level, and ioctl), inet_ip_options.c, inet_tcp_options.c.
#pragma once
#include "arch/riscv/uaccess.h"
#include "net/inet_private.h"

// A number: an int or, if `byte_will_do`, a byte where that is all there is.
int __must_check inet_read_number(int *out, const void __user *value, int len, bool byte_will_do);
int __must_check inet_write_number(int number, void __user *value, int __user *user_len);
int inet_ip_set_option(struct inet_socket *i, int level, int option, const void __user *value, int len);
int inet_ip_get_option(struct inet_socket *i, int level, int option, void __user *value, int __user *len);
