// SPDX-License-Identifier: MIT
// What lives in kernel/fs, in the order in which it starts:
//   inode, dentry, path, mount, vfs   the tree of names;  file, fdtable, uio, file_lock   open files
//   pagecache, tmpfs/                 pages of files; the file system in memory, and the root
//   dev/                              character devices and their file system; null, zero, ..., the log
//   9p/                               directories of the host
//   pipe/, event/                     streams; waiting for files: poll, epoll, eventfd, timerfd
#include "fs/init.h"
#include "core/panic.h"
#include "fs/9p/mount.h"
#include "fs/dev/chrdev.h"
#include "fs/dev/devtmpfs.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/mount.h"
#include "fs/pipe/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "sched/thread.h"

static void enter_root(void) {
    static struct fs_context context = {.umask = 022};
    struct path root = mount_root();
    ref_init(&context.refs);
    ref_get(&context.refs); // it is not kmalloc'ed and stays
    context.users = 1;
    spin_init(&context.lock);
    context.root = context.cwd = root;
    path_get(&root);
    fs_context_list(&context);
    current->fs = &context;
}

void fs_start(void) {
    inode_cache_init();
    file_init();
    tmpfs_init();
    mount_init();
    enter_root();
    memdev_init();
    kmsg_init();
    late_init();
    vport_init();
    disk_init();
    hwrng_init();
    rtc_init();
    devtmpfs_init();
    pipe_init();
    p9_init();
}
