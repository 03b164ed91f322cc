// SPDX-License-Identifier: MIT
// Families' answers to NETLINK_SOCK_DIAG. Each returns what netlink_protocol.request does.
#pragma once
#include "net/netlink.h"
#include <linux/sock_diag.h>

int unix_diag_request(struct netlink_request *r);
int netlink_diag_request(struct netlink_request *r);
int inet_diag_request(struct netlink_request *r);
