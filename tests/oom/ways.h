// SPDX-License-Identifier: MIT
// Ways to use memory up; each goes on until it cannot.
#pragma once

// In as many processes as there may be, each with all descriptors it may have.
void in_children(void (*fn)(void));

// sockets.c
void unix_streams(void);
void unix_datagrams(void);
void unix_rights(void);
void unix_backlogs(void);
void tcp_connections(void);
void tcp_backlogs(void);
void udp_sockets(void);
void many_sockets(void);

// descriptors.c
void files_of_many(void);
void pipes_of_many(void);
void large_pipes_of_many(void);
void ptys_of_many(void);
void eventfds_of_many(void);
void timerfds_of_many(void);
void epoll_sets_of_many(void);
void leases_of_many(void);
void locks(void);
