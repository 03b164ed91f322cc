// SPDX-License-Identifier: MIT
// What programs do with files of the host; run in a directory of it. Some tests need the host: they say "WANT what" and wait
// for a line.
#include "../../user/test.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#define PAGE 4096

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static int holds(const char *path, const char *text) {
    char buf[256] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

// The host does it, and says so.
static void host(const char *what) {
    char answer;
    printf("WANT %s\n", what);
    fflush(stdout);
    CHECK(read(0, &answer, 1) == 1);
}

TEST(a_file_is_created_written_and_read) {
    int fd = open("created", O_RDWR | O_CREAT | O_EXCL, 0640);
    struct stat st;
    CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && pwrite(fd, "y", 1, 10000) == 1 && fstat(fd, &st) == 0);
    CHECK(st.st_size == 10001 && (st.st_mode & 07777) == 0640 && st.st_nlink == 1 && st.st_ino);
    char buf[16];
    CHECK(pread(fd, buf, 10, 0) == 10 && !memcmp(buf, "hello\0\0\0\0\0", 10) &&
          pread(fd, buf, 16, 9999) == 2 && buf[1] == 'y');
    CHECK_ERRNO(open("created", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK(lseek(fd, 0, SEEK_END) == 10001 && lseek(fd, 5, SEEK_DATA) == 5 &&
          lseek(fd, 0, SEEK_HOLE) == 10001);
    CHECK(ftruncate(fd, 3) == 0 && pread(fd, buf, 16, 0) == 3 && ftruncate(fd, 6) == 0 &&
          pread(fd, buf, 16, 0) == 6);
    CHECK(!memcmp(buf, "hel\0\0\0", 6) && fsync(fd) == 0 && close(fd) == 0 && unlink("created") == 0);
    CHECK_ERRNO(open("created", O_RDONLY), ENOENT);
    CHECK_ERRNO(open(".", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
}

TEST(appending_goes_to_the_end) {
    put("log", "one\n");
    int a = open("log", O_WRONLY | O_APPEND), b = open("log", O_WRONLY | O_APPEND);
    CHECK(write(a, "two\n", 4) == 4 && write(b, "three\n", 6) == 6 && write(a, "four\n", 5) == 5);
    CHECK(holds("log", "one\ntwo\nthree\nfour\n") && lseek(a, 0, SEEK_CUR) == 19);
}

TEST(a_file_lives_on_without_its_name) {
    int fd = open("gone", O_RDWR | O_CREAT, 0600), more;
    char buf[PAGE];
    struct stat st;
    CHECK(write(fd, "still here", 10) == 10 && unlink("gone") == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 10 && pread(fd, buf, 5, 0) == 5 &&
          !memcmp(buf, "still", 5));
    CHECK(ftruncate(fd, 2) == 0 && ftruncate(fd, 3 * PAGE) == 0 && fchmod(fd, 0644) == 0 &&
          pread(fd, buf, PAGE, 0) == PAGE);
    CHECK(!memcmp(buf, "st\0\0\0\0\0\0\0\0", 10) && fstat(fd, &st) == 0 && st.st_size == 3 * PAGE &&
          (st.st_mode & 0777) == 0644);
    CHECK(pwrite(fd, "x", 1, 3 * PAGE) == 1 && fstat(fd, &st) == 0 && st.st_size == 3 * PAGE + 1);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED && map[0] == 's' && map[3 * PAGE] == 'x' && (map[1] = 'T') &&
          pread(fd, buf, 2, 0) == 2 && buf[1] == 'T');
    more = open("gone", O_RDWR | O_CREAT | O_EXCL, 0600); // another one
    CHECK(more >= 0 && fstat(more, &st) == 0 && st.st_size == 0 && pread(fd, buf, 2, 0) == 2 &&
          buf[0] == 's' && unlink("gone") == 0);
}

TEST(names_move_and_are_replaced) {
    struct stat a, b;
    put("from", "from");
    put("to", "to");
    int old = open("to", O_RDONLY);
    char buf[8] = "";
    CHECK(stat("from", &a) == 0 && rename("from", "to") == 0 && stat("to", &b) == 0 && a.st_ino == b.st_ino &&
          holds("to", "from"));
    CHECK(read(old, buf, 8) == 2 && !strcmp(buf, "to") && fstat(old, &a) == 0 && a.st_nlink == 0);
    CHECK_ERRNO(stat("from", &a), ENOENT);
    CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && rename("to", "d/e/f") == 0 &&
          rename("d/e", "g") == 0 && holds("g/f", "from"));
    CHECK_ERRNO(rename("d", "d/x"), EINVAL);
    CHECK_ERRNO(rmdir("g"), ENOTEMPTY);
    CHECK_ERRNO(rename("d", "g"), ENOTEMPTY);
    CHECK_ERRNO(rename("g/f", "d"), EISDIR);
    CHECK(link("g/f", "hard") == 0 && stat("hard", &a) == 0 && a.st_nlink == 2 && unlink("g/f") == 0 &&
          stat("hard", &a) == 0);
    CHECK(a.st_nlink == 1 && holds("hard", "from") && symlink("hard", "soft") == 0 && holds("soft", "from"));
    CHECK(readlink("soft", buf, 8) == 4 && !memcmp(buf, "hard", 4) && unlink("hard") == 0);
    CHECK_ERRNO(open("soft", O_RDONLY), ENOENT);
    CHECK(chdir("g") == 0 && rename("../g", "../h") == 0);
    char *cwd = getcwd(NULL, 0);
    CHECK(cwd && !strcmp(cwd + strlen(cwd) - 2, "/h") && chdir("..") == 0 && rmdir("h") == 0 &&
          rmdir("d") == 0 && unlink("soft") == 0);
}

static char *map_of(int fd, int prot, int flags, size_t n) {
    char *map = mmap(NULL, n, prot, flags, fd, 0);
    CHECK(map != MAP_FAILED);
    return map;
}

TEST(mappings_share_the_file) {
    static char block[5 * PAGE];
    memset(block, 'a', sizeof(block));
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(write(fd, block, sizeof(block) - 100) == sizeof(block) - 100);
    char *shared = map_of(fd, PROT_READ | PROT_WRITE, MAP_SHARED, sizeof(block));
    char *private = map_of(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, sizeof(block));
    private[PAGE] = 'p';
    CHECK(shared[PAGE] == 'a' && shared[sizeof(block) - 101] == 'a' && shared[sizeof(block) - 100] == 0);
    CHECK(pwrite(fd, "w", 1, 7) == 1 && shared[7] == 'w' && private[7] == 'w');
    shared[2 * PAGE] = 's';
    char c;
    CHECK(pread(fd, &c, 1, 2 * PAGE) == 1 && c == 's' && private[2 * PAGE] == 's' &&
          msync(shared, sizeof(block), MS_SYNC) == 0);
    host("mapped-has-s");
    shared[3 * PAGE] = 'u';
    CHECK(munmap(shared, sizeof(block)) == 0);
    host("mapped-has-u");
    shared = map_of(fd, PROT_READ | PROT_WRITE, MAP_SHARED, sizeof(block));
    shared[4 * PAGE] = 'c';
    CHECK(close(fd) == 0);
    host("mapped-has-c");
    shared[0] = 'l'; // written after a while, by itself
    sleep(1);
    sync();
    host("mapped-has-l");
    CHECK(private[PAGE] == 'p');
}

static sig_atomic_t bus;
static void on_bus(int s) {
    (void)s;
    bus = 1;
    _exit(7);
}

static int touch_behind(void *arg) {
    signal(SIGBUS, on_bus);
    return ((volatile char *)arg)[2 * PAGE];
}

TEST(behind_the_end_is_sigbus) {
    put("short", "short");
    int fd = open("short", O_RDWR);
    char *map = map_of(fd, PROT_READ, MAP_SHARED, 3 * PAGE);
    CHECK(map[0] == 's' && map[5] == 0 && test_wait_exit(test_fork(touch_behind, map)) == 7);
    CHECK(ftruncate(fd, 3 * PAGE) == 0 && map[2 * PAGE] == 0 && ftruncate(fd, 2) == 0 && map[2] == 0 &&
          map[1] == 'h');
    CHECK(test_wait_exit(test_fork(touch_behind, map)) == 7);
}

TEST(the_hosts_changes_are_seen_by_the_next_open) {
    struct stat st;
    put("both", "from the guest");
    int kept = open("both", O_RDONLY);
    char *map = map_of(kept, PROT_READ, MAP_SHARED, PAGE);
    CHECK(map[0] == 'f');
    host("both-rewrite"); // same length
    CHECK(holds("both", "from the host!") && map[9] == 'h');
    host("both-replace"); // another file in its place
    CHECK(holds("both", "new") && stat("both", &st) == 0 && st.st_size == 3 && map[9] == 'h');
    host("both-remove");
    CHECK_ERRNO(open("both", O_RDONLY), ENOENT);
    CHECK_ERRNO(stat("both", &st), ENOENT);
    host("both-directory");
    CHECK(stat("both", &st) == 0 && S_ISDIR(st.st_mode) && holds("both/in", "inner") && rmdir("both") == -1);
    host("both-directory-moves");
    CHECK(holds("moved/in", "inner"));
    CHECK_ERRNO(stat("both/in", &st), ENOENT);
}

TEST(a_file_that_the_host_renames_stays_one) {
    struct stat st;
    put("name", "text");
    int fd = open("name", O_RDWR);
    char *map = map_of(fd, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);
    host("name-moves");
    CHECK_ERRNO(stat("name", &st), ENOENT);
    CHECK(holds("name2", "text") && (map[0] = 'T') && holds("name2", "Text") && stat("name2", &st) == 0 &&
          st.st_nlink == 1);
}

TEST(a_growing_file_is_followed) {
    char buf[64];
    put("grows", "a");
    int fd = open("grows", O_RDONLY);
    CHECK(read(fd, buf, 64) == 1 && read(fd, buf, 64) == 0);
    host("grows-append");
    CHECK(read(fd, buf, 64) == 4 && !memcmp(buf, "more", 4) && read(fd, buf, 64) == 0);
}

static int lock_it(void *arg) {
    int fd = open(arg, O_RDWR);
    struct flock l = {.l_type = F_WRLCK};
    return flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK && fcntl(fd, F_SETLK, &l) == -1 &&
                   errno == EAGAIN
               ? 7
               : 1;
}

TEST(locks_hold_between_processes) {
    put("locked", "");
    int fd = open("locked", O_RDWR);
    struct flock l = {.l_type = F_WRLCK};
    CHECK(flock(fd, LOCK_EX) == 0 && fcntl(fd, F_SETLK, &l) == 0 &&
          test_wait_exit(test_fork(lock_it, "locked")) == 7);
}

static int as_user(void *arg) {
    (void)arg;
    CHECK(setgid(1234) == 0 && setuid(1234) == 0);
    CHECK_ERRNO(open("mine", O_RDONLY), EACCES);
    CHECK_ERRNO(open("public", O_RDWR), EACCES);
    CHECK_ERRNO(open("closed/x", O_RDONLY), EACCES);
    CHECK_ERRNO(unlink("public"), EACCES);
    CHECK_ERRNO(chmod("public", 0777), EPERM);
    struct stat set;
    int w = open("setid", O_WRONLY);
    CHECK(write(w, "x", 1) == 1 && stat("setid", &set) == 0 && (set.st_mode & 07777) == 0777);
    CHECK(holds("public", "public") && access("public", R_OK) == 0 && access("public", W_OK) == -1);
    int fd = open("open/theirs", O_WRONLY | O_CREAT, 0600);
    struct stat st;
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1234 && fchmod(fd, 0644) == 0);
    return 7;
}

TEST(what_a_user_may_is_checked) {
    put("mine", "mine");
    put("public", "public");
    put("setid", "setid");
    CHECK(chmod("setid", 06777) == 0 && chmod("mine", 0600) == 0 && mkdir("closed", 0700) == 0 &&
          mkdir("open", 0777) == 0 && chmod("open", 0777) == 0);
    CHECK(test_wait_exit(test_fork(as_user, NULL)) == 7);
}

TEST(a_directory_of_many_is_read_in_parts) {
    char name[32];
    int seen = 0;
    CHECK(mkdir("many", 0755) == 0);
    host("many");
    DIR *d = opendir("many");
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));) {
        seen += e->d_name[0] == 'n';
        if (seen == 5000)
            seekdir(d, telldir(d));
    }
    CHECK(seen == 20000);
    rewinddir(d);
    CHECK(readdir(d) && closedir(d) == 0);
    for (int i = 0; i < 100; i++) {
        sprintf(name, "many/n%d", i);
        CHECK(unlink(name) == 0);
    }
}

TEST(times_and_sizes_are_the_hosts) {
    struct timespec times[2] = {{-5, 1}, {1000000000, 999999999}};
    struct stat st;
    struct statfs fs;
    put("timed", "x");
    CHECK(utimensat(AT_FDCWD, "timed", times, 0) == 0 && stat("timed", &st) == 0);
    CHECK(st.st_mtim.tv_sec == 1000000000 && st.st_mtim.tv_nsec == 999999999 && st.st_atim.tv_sec == -5 &&
          st.st_atim.tv_nsec == 1);
    CHECK(statfs(".", &fs) == 0 && fs.f_type == 0x01021997 && fs.f_blocks >= fs.f_bfree && fs.f_bsize);
    CHECK_ERRNO(syscall(276, AT_FDCWD, "timed", AT_FDCWD, "other", 1), EINVAL); // renameat2, RENAME_NOREPLACE
}

// link(2) and unlink(2) is how a file gets its name once it is whole.
TEST(an_open_file_is_found_by_each_of_its_names) {
    struct stat a, b;
    int fd = open("tmp", O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0 && write(fd, "content", 7) == 7 && link("tmp", "final") == 0 && stat("tmp", &a) == 0);
    CHECK(a.st_nlink == 2 && unlink("tmp") == 0 && ftruncate(fd, 3) == 0 && fchmod(fd, 0600) == 0);
    CHECK(fstat(fd, &a) == 0 && a.st_nlink == 1 && a.st_size == 3);
    CHECK(stat("final", &b) == 0 && a.st_ino == b.st_ino && b.st_size == 3 && (b.st_mode & 0777) == 0600);
    host("final-has-3");
    CHECK(link("final", "tmp") == 0 && rename("final", "third") == 0 && unlink("third") == 0);
    CHECK(ftruncate(fd, 2) == 0 && holds("tmp", "co") && link("tmp", "final") == 0);
    put("fourth", "x");
    CHECK(rename("fourth", "tmp") == 0 && ftruncate(fd, 1) == 0 && holds("final", "c") && holds("tmp", "x"));
    CHECK(unlink("final") == 0 && unlink("tmp") == 0 && ftruncate(fd, 5) == 0 && fstat(fd, &a) == 0);
    CHECK(a.st_nlink == 0 && a.st_size == 5 && close(fd) == 0);
}

// However many it has, and whoever takes them away.
TEST(an_open_file_with_many_names_is_found_by_the_last_of_them) {
    char name[16];
    struct stat a;
    int fd = open("nth0", O_RDWR | O_CREAT | O_EXCL, 0644), other = open("nth0", O_RDONLY);
    CHECK(fd >= 0 && other >= 0 && write(fd, "content", 7) == 7);
    for (int i = 1; i < 8; i++) {
        snprintf(name, sizeof(name), "nth%d", i);
        CHECK(link("nth0", name) == 0 && stat(name, &a) == 0 && a.st_nlink == i + 1u);
    }
    for (int i = 7; i > 2; i--) {
        snprintf(name, sizeof(name), "nth%d", i);
        CHECK(unlink(name) == 0);
    }
    CHECK(fchmod(fd, 0640) == 0 && ftruncate(fd, 3) == 0 && fstat(other, &a) == 0 && a.st_nlink == 3 &&
          a.st_size == 3);
    CHECK(stat("nth1", &a) == 0 && (a.st_mode & 0777) == 0640 && a.st_size == 3);
    host("nth-1-and-2-go");
    CHECK(fstat(fd, &a) == 0 && a.st_nlink == 1 && fchmod(fd, 0600) == 0 && ftruncate(fd, 2) == 0);
    CHECK(stat("nth0", &a) == 0 && (a.st_mode & 0777) == 0600 && a.st_size == 2 && unlink("nth0") == 0);
    CHECK(close(fd) == 0 && close(other) == 0);
}

// They are the maker's if the server lets us say whose the file is.
TEST(set_id_bits_are_those_of_the_maker) {
    CHECK(mkdir("shared-dir", 0755) == 0 && chmod("shared-dir", 0777) == 0);
    CHECK(mkdir("group-dir", 0755) == 0 && chmod("group-dir", 02777) == 0);
    umask(0);
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    int fd = open("shared-dir/f", O_RDWR | O_CREAT | O_EXCL, 06755);
    struct stat st;
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    mode_t bits = (st.st_uid == 1000 ? S_ISUID : 0) | (st.st_gid == 1000 ? S_ISGID : 0);
    CHECK((st.st_mode & 07777) == (0755 | bits));
    CHECK(stat("shared-dir/f", &st) == 0 && (st.st_mode & 07777) == (0755 | bits));
    CHECK((fd = open("group-dir/f", O_RDWR | O_CREAT | O_EXCL, 02755)) >= 0 && fstat(fd, &st) == 0);
    CHECK((st.st_mode & 07777) == 0755 || st.st_gid == 1000);
}

static void *reader(void *arg) {
    static char buf[1 << 16];
    for (int i = 0; i < 20; i++) {
        int fd = open(arg, O_RDONLY);
        CHECK(fd >= 0);
        while (read(fd, buf, sizeof(buf)) > 0)
            ;
        close(fd);
    }
    return NULL;
}

TEST(threads_use_it_at_once) {
    static char block[300000];
    pthread_t t[4];
    memset(block, 'x', sizeof(block));
    int fd = open("shared", O_RDWR | O_CREAT, 0600);
    CHECK(write(fd, block, sizeof(block)) == sizeof(block));
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, reader, "shared") == 0);
    for (int i = 0; i < 50; i++)
        CHECK(pwrite(fd, "y", 1, i * 5000) == 1);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(pread(fd, block, 1, i * 5000) == 1 && block[0] == 'y');
}
