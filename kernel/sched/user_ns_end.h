// SPDX-License-Identifier: MIT
// The end of user namespaces, for whoever keeps something for their users.
#pragma once

struct user_ns;

// Boot: called whenever one ends, in any context. One hook.
void user_ns_set_end_hook(void (*hook)(const struct user_ns *u));
