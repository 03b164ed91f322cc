// SPDX-License-Identifier: MIT
// Mounts on symbolic links, and of them: what is mounted on a name counts, whatever the name was of. The same program passes on Linux.
#include "mounts.h"
#include <linux/openat2.h>
#include <sys/un.h>
#include <sys/socket.h>

TEST_DIRECTORY(0755)

static void file(const char *path, const char *text) {
    CHECK(close(test_make(path, text)) == 0);
}
static bool holds(const char *path, const char *text) {
    return !strcmp(test_read(path), text);
}
static bool is_link_to(const char *path, const char *target) {
    char text[64] = "";
    return readlink(path, text, sizeof(text) - 1) >= 0 && !strcmp(text, target);
}
// Lays `from`, be it a link or not, on `to`, be it a link or not.
static int cover(const char *from, const char *to) {
    int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    CHECK(tree >= 0);
    int err = lay(tree, to), why = errno;
    CHECK(close(tree) == 0);
    errno = why;
    return err;
}
static void uncover(const char *at) {
    CHECK(umount2(at, UMOUNT_NOFOLLOW) == 0);
}
static int open_how(const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = flags & O_CREAT ? 0644 : 0, .resolve = resolve};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}
// The fields "shows" and "place" of the last line of mountinfo.
static bool last_mount_is(const char *shows, const char *at) {
    char line[1024], what[256] = "", place[256] = "", wanted[2][256];
    FILE *f = fopen("/proc/self/mountinfo", "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f))
        CHECK(sscanf(line, "%*d %*d %*s %255s %255s", what, place) == 2);
    fclose(f);
    snprintf(wanted[0], sizeof(wanted[0]), "%s/%s", test_place, shows);
    snprintf(wanted[1], sizeof(wanted[1]), "%s/%s", test_place, at);
    return !strcmp(place, wanted[1]) && strlen(what) >= strlen(shows) &&
           !strcmp(what + strlen(what) - strlen(shows), shows);
}
// In a tree of the test's own, with a file, and a link to another.
static void start(void) {
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
    CHECK(mount("t", test_place, "tmpfs", 0, NULL) == 0 && chdir(test_place) == 0);
    file("file", "file");
    file("target", "target");
    CHECK(symlink("target", "link") == 0);
}

TEST(file_on_a_link_is_what_its_name_means) {
    struct stat covered, st;
    start();
    CHECK(stat("file", &st) == 0 && cover("file", "link") == 0);
    CHECK(lstat("link", &covered) == 0 && covered.st_ino == st.st_ino && S_ISREG(covered.st_mode));
    CHECK(stat("link", &covered) == 0 && covered.st_ino == st.st_ino && holds("link", "file"));
    CHECK_ERRNO(readlink("link", (char[8]){0}, 8), EINVAL);
    int fd = open("link", O_RDONLY | O_NOFOLLOW);
    CHECK(fd >= 0 && close(fd) == 0 && (fd = open("link", O_PATH)) >= 0);
    CHECK(fstat(fd, &covered) == 0 && covered.st_ino == st.st_ino && close(fd) == 0);
    CHECK(last_mount_is("/file", "link") && holds("target", "target"));
    CHECK_ERRNO(unlink("link"), EBUSY);
    CHECK_ERRNO(rename("link", "other"), EBUSY);
    uncover("link");
    CHECK(is_link_to("link", "target") && holds("link", "target") && unlink("link") == 0);
}

TEST(file_on_a_link_is_what_is_opened_to_be_created) {
    start();
    CHECK(cover("file", "link") == 0);
    int fd = open("link", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, "new", 3) == 3 && close(fd) == 0 && holds("file", "new") &&
          holds("target", "target"));
    CHECK((fd = open("link", O_CREAT | O_RDONLY | O_NOFOLLOW, 0644)) >= 0 && close(fd) == 0);
    CHECK_ERRNO(open("link", O_CREAT | O_EXCL | O_RDONLY, 0644), EEXIST);
    CHECK(unlink("target") == 0 && (fd = open("link", O_CREAT | O_RDONLY, 0644)) >= 0 && close(fd) == 0);
    CHECK(!there("target"));
}

TEST(directory_lies_on_no_link) {
    start();
    dir("d");
    CHECK_ERRNO(cover("d", "link"), EINVAL);
    CHECK_ERRNO(cover("link", "d"), EINVAL);
}

TEST(link_on_a_file_is_followed) {
    struct stat st;
    start();
    CHECK(cover("link", "file") == 0 && lstat("file", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(is_link_to("file", "target") && holds("file", "target"));
    CHECK_ERRNO(open("file", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = open("file", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, "through", 7) == 7 && close(fd) == 0 && holds("target", "through"));
    CHECK(last_mount_is("/link", "file"));
    CHECK_ERRNO(umount2("file", 0), EINVAL); // that is of the target
    uncover("file");
    CHECK(holds("file", "file"));
}

TEST(link_on_a_link_is_followed_from_where_it_lies) {
    start();
    dir("d");
    dir("d/e");
    file("d/target", "below");
    file("d/e/inside", "inside");
    CHECK(symlink("e", "to_e") == 0 && symlink("nothing", "d/link") == 0);
    CHECK(cover("link", "d/link") == 0 && is_link_to("d/link", "target") && holds("d/link", "below"));
    CHECK(cover("to_e", "d/link") == 0 && holds("d/link/inside", "inside")); // on the first
    CHECK(open_how("d/link/inside", O_RDONLY, RESOLVE_NO_SYMLINKS) == -1 && errno == ELOOP);
    uncover("d/link");
    CHECK(holds("d/link", "below"));
    uncover("d/link");
    CHECK(is_link_to("d/link", "nothing"));
}

TEST(link_that_is_mounted_is_of_another_mount) {
    start();
    CHECK(symlink("/tmp", "absolute") == 0 && cover("link", "file") == 0);
    CHECK_ERRNO(open_how("file", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERRNO(open_how("file", O_RDONLY | O_CREAT, RESOLVE_NO_XDEV), EXDEV);
    CHECK(open_how("file", O_RDONLY, RESOLVE_BENEATH) >= 0);
    int tree = open_tree(AT_FDCWD, "link", OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSYMFOLLOW};
    CHECK(tree >= 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0);
    CHECK(lay(tree, "link") == 0 && holds("file", "target")); // its own mount says nothing of that
    CHECK_ERRNO(open("link", O_RDONLY), ELOOP);
}

TEST(covered_link_leads_sockets_and_directories) {
    struct sockaddr_un at = {AF_UNIX, "socket"};
    start();
    int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(s, (void *)&at, sizeof(at)) == 0 && listen(s, 1) == 0 && cover("socket", "link") == 0);
    strcpy(at.sun_path, "link");
    CHECK(connect(c, (void *)&at, sizeof(at)) == 0);
    CHECK(cover("file", "link") == 0 && link("link", "hard") == -1 && errno == EXDEV);
    CHECK(chmod("link", 0600) == 0 && access("link", R_OK) == 0 && truncate("link", 2) == 0 &&
          holds("file", "fi") && holds("target", "target"));
}

TEST(hidden_link_is_followed_to_what_is_created) {
    start();
    CHECK(symlink("made", ".link") == 0);
    int fd = open(".link", O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && holds("made", "x"));
    CHECK(symlink("...", "..link") == 0 && (fd = open("..link", O_CREAT | O_WRONLY, 0644)) >= 0 &&
          there("..."));
}

TEST(nothing_lies_on_the_names_of_descriptors) {
    char path[64];
    start();
    int fd = open("target", O_RDONLY);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CHECK_ERRNO(cover("file", path), ENOENT);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    CHECK_ERRNO(cover("file", path), ENOENT);
    CHECK(cover("file", "/proc/self/exe") == 0 && holds("/proc/self/exe", "file"));
    uncover("/proc/self/exe");
    CHECK(cover("file", "/proc/self/ns/net") == 0 && holds("/proc/self/ns/net", "file"));
}
