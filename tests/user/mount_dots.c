// SPDX-License-Identifier: MIT
// ".." where directories are covered, and where they were moved out of what a mount shows. The same program passes on Linux.
#include "mounts.h"
#include <linux/openat2.h>

TEST_DIRECTORY(0755)

// In a tree of the test's own.
static void start(void) {
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
    CHECK(mount("t", test_place, "tmpfs", 0, NULL) == 0 && chdir(test_place) == 0);
}

static int open_how(int dfd, const char *path, uint64_t resolve) {
    struct open_how how = {.flags = O_PATH, .resolve = resolve};
    return (int)syscall(SYS_openat2, dfd, path, &how, sizeof(how));
}

// Else whoever may rename in a part of a file system reaches all of it: a root of his own is no prison, nor a container's.
TEST(no_way_leads_up_from_what_was_moved_out_of_a_mount) {
    char name[4096];
    start();
    dir("secret"), dir("jail"), dir("jail/shown"), dir("jail/part");
    dir("jail/part/here"), dir("jail/part/here/deep");
    CHECK(bind_to("jail", "jail", 0) == 0 && chdir("jail") == 0 && chroot(".") == 0);
    CHECK(bind_to("/part", "/shown", 0) == 0 && chdir("/shown/here") == 0 && there("deep/.."));
    CHECK(there("..") && rename("/part/here", "/here") == 0);
    CHECK(there(".") && there("deep"));
    CHECK(syscall(SYS_getcwd, name, sizeof(name)) > 0 && !strcmp(name, "(unreachable)/"));
    CHECK_ERRNO(access("..", F_OK), ENOENT);
    CHECK_ERRNO(access("../..", F_OK), ENOENT);
    CHECK_ERRNO(access("../../secret", F_OK), ENOENT);
    CHECK_ERRNO(chdir(".."), ENOENT);
    CHECK_ERRNO(open("../new", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERRNO(access("deep/..", F_OK), ENOENT);
    CHECK(rename("/here", "/part/here") == 0 && there("../here") && there("../../part"));
}

TEST(what_is_mounted_on_the_directory_above_counts) {
    start();
    dir("covered"), dir("covered/below"), dir("covered/before"), dir("covered/below/root");
    int below = open("covered/below", O_PATH), covered = open("covered", O_PATH);
    CHECK(below >= 0 && covered >= 0 && mount("t", "covered", "tmpfs", 0, NULL) == 0);
    dir("covered/above");
    CHECK(faccessat(below, "../above", F_OK, 0) == 0);
    CHECK_ERRNO(faccessat(below, "../before", F_OK, 0), ENOENT);
    CHECK(faccessat(below, "../../covered/above", F_OK, 0) == 0);
    CHECK(faccessat(covered, "before", F_OK, 0) == 0 && faccessat(covered, "below/../above", F_OK, 0) == 0);
    CHECK_ERRNO(open_how(below, "..", RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(open_how(covered, "below/..", RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(open_how(covered, "below/../..", RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(open_how(covered, "below/../../covered", RESOLVE_BENEATH), EXDEV);
    CHECK(fchdir(below) == 0 && chroot(".") == 0);
    CHECK(there("/../root") && there("../root") && !there("../above"));
}
