// SPDX-License-Identifier: MIT
// Keys and keyrings (keyrings(7)). Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

TEST_DIRECTORY(0755)

#define NOBODY 1234
#define ALL    0x3f3f3f3f
#define THREAD KEY_SPEC_THREAD_KEYRING
#define OWN    KEY_SPEC_PROCESS_KEYRING
#define SES    KEY_SPEC_SESSION_KEYRING
#define USER   KEY_SPEC_USER_KEYRING

static int add(const char *type, const char *description, const void *payload, size_t n, int ring) {
    return (int)syscall(SYS_add_key, type, description, payload, n, ring);
}
static int user_key(const char *description, const char *text, int ring) {
    return add("user", description, text, strlen(text), ring);
}
static int ring(const char *description, int in) {
    return add("keyring", description, NULL, 0, in);
}
static long ctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return syscall(SYS_keyctl, op, a, b, c, d);
}
static int request(const char *type, const char *description, int to) {
    return (int)syscall(SYS_request_key, type, description, NULL, to);
}
static int search(int in, const char *type, const char *description, int to) {
    return (int)ctl(KEYCTL_SEARCH, (unsigned long)in, (unsigned long)type, (unsigned long)description,
                    (unsigned long)to);
}
static bool reads(int key, const char *text) {
    char buf[100];
    long n = ctl(KEYCTL_READ, (unsigned long)key, (unsigned long)buf, sizeof(buf), 0);
    return n == (long)strlen(text) && !memcmp(buf, text, (size_t)n);
}
static bool is_described(int key, const char *text) {
    char buf[200];
    long n = ctl(KEYCTL_DESCRIBE, (unsigned long)key, (unsigned long)buf, sizeof(buf), 0);
    return n == (long)strlen(text) + 1 && !strcmp(buf, text);
}
static void become_somebody(void) {
    CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
          setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

TEST(a_key_is_added_found_read_and_updated) {
    char buf[4];
    int key = user_key("one", "secret", OWN);
    CHECK(key > 0 && reads(key, "secret") && request("user", "one", 0) == key &&
          search(OWN, "user", "one", 0) == key);
    CHECK(is_described(key, "user;0;0;3f010000;one"));
    CHECK(user_key("one", "changed", OWN) == key && reads(key, "changed")); // the same one
    CHECK(ctl(KEYCTL_UPDATE, (unsigned long)key, (unsigned long)"again", 5, 0) == 0 && reads(key, "again"));
    memset(buf, 0, sizeof(buf));
    CHECK(ctl(KEYCTL_READ, (unsigned long)key, (unsigned long)buf, 4, 0) == 5 && !buf[0]); // all or nothing
    CHECK(ctl(KEYCTL_READ, (unsigned long)key, 0, 0, 0) == 5);
    CHECK(ctl(KEYCTL_DESCRIBE, (unsigned long)key, 0, 0, 0) == 22);
    CHECK_ERRNO(request("user", "two", 0), ENOKEY);
    CHECK_ERRNO(search(OWN, "user", "two", 0), ENOKEY);
    CHECK_ERRNO(request("keyring", "one", 0), ENOKEY);
}

TEST(arguments_of_keys_are_looked_at) {
    static char large[32768];
    char name[40];
    memset(name, 'x', sizeof(name)), name[39] = '\0';
    CHECK_ERRNO(user_key("k", "", OWN), EINVAL);
    CHECK_ERRNO(add("user", "k", large, 32768, OWN), EINVAL);
    CHECK_ERRNO(add("user", "k", (void *)16, 4, OWN), EFAULT);
    CHECK_ERRNO(add("user", "k", large, 1 << 20, OWN), EINVAL);
    CHECK_ERRNO(add("user", NULL, "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("user", "", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("nosuch", "k", "x", 1, OWN), ENODEV);
    CHECK_ERRNO(add(".user", "k", "x", 1, OWN), EPERM);
    CHECK_ERRNO(add("", "k", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add(name, "k", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("keyring", ".k", NULL, 0, OWN), EPERM);
    CHECK_ERRNO(add("keyring", "k", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("logon", "k", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("logon", ":k", "x", 1, OWN), EINVAL);
    CHECK_ERRNO(add("user", "k", "x", 1, 0), EINVAL);
    CHECK_ERRNO(add("user", "k", "x", 1, KEY_SPEC_GROUP_KEYRING), EINVAL);
    CHECK_ERRNO(add("user", "k", "x", 1, 0x7ffffff0), ENOKEY);
    int key = user_key("k", "x", OWN);
    CHECK_ERRNO(user_key("l", "x", key), ENOTDIR);
    CHECK_ERRNO(request("nosuch", "k", 0), ENOKEY);
    CHECK_ERRNO(ctl(KEYCTL_UPDATE, (unsigned long)key, (unsigned long)large, 4097, 0), EINVAL);
    CHECK_ERRNO(ctl(KEYCTL_UPDATE, (unsigned long)OWN, 0, 0, 0), EOPNOTSUPP);
    CHECK_ERRNO(ctl(KEYCTL_SETPERM, (unsigned long)key, 0x40, 0, 0), EINVAL);
    CHECK_ERRNO(ctl(KEYCTL_CLEAR, (unsigned long)key, 0, 0, 0), ENOTDIR);
    CHECK_ERRNO(ctl(KEYCTL_READ, 0x7ffffff0, 0, 0, 0), ENOKEY);
    CHECK_ERRNO(ctl(77, 0, 0, 0, 0), EOPNOTSUPP);
}

TEST(a_logon_key_is_not_read) {
    char buf[10];
    int key = add("logon", "service:name", "secret", 6, OWN);
    CHECK(key > 0 && is_described(key, "logon;0;0;3d010000;service:name"));
    CHECK_ERRNO(ctl(KEYCTL_READ, (unsigned long)key, (unsigned long)buf, sizeof(buf), 0), EOPNOTSUPP);
    CHECK(search(OWN, "logon", "service:name", 0) == key);
}

TEST(keyrings_hold_links) {
    int32_t serials[4];
    int a = ring("a", OWN), b = ring("b", a), key = user_key("k", "x", b);
    CHECK(a > 0 && b > 0 && key > 0 && request("user", "k", 0) == key && search(a, "user", "k", 0) == key);
    CHECK(is_described(a, "keyring;0;0;3f010000;a"));
    CHECK(ctl(KEYCTL_LINK, (unsigned long)key, (unsigned long)a, 0, 0) == 0);
    CHECK(ctl(KEYCTL_READ, (unsigned long)a, (unsigned long)serials, sizeof(serials), 0) == 8);
    CHECK((serials[0] == b && serials[1] == key) || (serials[1] == b && serials[0] == key));
    CHECK(ctl(KEYCTL_UNLINK, (unsigned long)b, (unsigned long)a, 0, 0) == 0 && reads(key, "x"));
    CHECK_ERRNO(ctl(KEYCTL_UNLINK, (unsigned long)key, (unsigned long)OWN, 0, 0), ENOENT);
    CHECK_ERRNO(ctl(KEYCTL_UNLINK, (unsigned long)key, (unsigned long)key, 0, 0), ENOTDIR);
    int other = user_key("k", "other", OWN); // another keyring's: another key
    CHECK(other > 0 && other != key);
    CHECK(ctl(KEYCTL_LINK, (unsigned long)other, (unsigned long)a, 0, 0) == 0 &&
          search(a, "user", "k", 0) == other); // in the other's place
    CHECK(ctl(KEYCTL_CLEAR, (unsigned long)a, 0, 0, 0) == 0);
    CHECK_ERRNO(search(a, "user", "k", 0), ENOKEY);
    CHECK(ctl(KEYCTL_READ, (unsigned long)a, 0, 0, 0) == 0);
    CHECK(search(OWN, "user", "k", a) == other && search(a, "user", "k", 0) == other); // links what it found
    CHECK(ctl(KEYCTL_MOVE, (unsigned long)other, (unsigned long)a, (unsigned long)THREAD, 0) == 0);
    CHECK_ERRNO(search(a, "user", "k", 0), ENOKEY);
    CHECK_ERRNO(ctl(KEYCTL_MOVE, (unsigned long)other, (unsigned long)a, (unsigned long)THREAD, 0), ENOENT);
    CHECK_ERRNO(
        ctl(KEYCTL_MOVE, (unsigned long)other, (unsigned long)OWN, (unsigned long)THREAD, KEYCTL_MOVE_EXCL),
        EEXIST);
}

TEST(keyrings_do_not_go_in_circles) {
    int a = ring("a", OWN), b = ring("b", a), c = ring("c", b);
    CHECK_ERRNO(ctl(KEYCTL_LINK, (unsigned long)a, (unsigned long)c, 0, 0), EDEADLK);
    CHECK_ERRNO(ctl(KEYCTL_LINK, (unsigned long)a, (unsigned long)a, 0, 0), EDEADLK);
    int chain[10] = {ring("chain", OWN)}, n = 0;
    for (; n < 9 && chain[n] > 0; n++) {
        char name[20];
        snprintf(name, sizeof(name), "chain%d", n);
        chain[n + 1] = ring(name, chain[n]);
    }
    CHECK(n == 8 && errno == EACCES); // what is too deep to be found is not possessed
    CHECK(search(chain[0], "keyring", "chain6", 0) == chain[7]);
    CHECK_ERRNO(search(OWN, "keyring", "chain6", 0), ENOKEY);
}

TEST(what_is_revoked_invalid_or_too_old_is_not_had) {
    CHECK(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) > 0);
    int key = user_key("revoked", "x", OWN), old = user_key("old", "x", OWN),
        gone = user_key("gone", "x", OWN);
    CHECK(ctl(KEYCTL_REVOKE, (unsigned long)key, 0, 0, 0) == 0);
    CHECK_ERRNO(ctl(KEYCTL_READ, (unsigned long)key, 0, 0, 0), EKEYREVOKED);
    CHECK_ERRNO(ctl(KEYCTL_UPDATE, (unsigned long)key, (unsigned long)"y", 1, 0), EKEYREVOKED);
    CHECK_ERRNO(search(OWN, "user", "revoked", 0), EKEYREVOKED);
    CHECK_ERRNO(request("user", "revoked", 0), ENOKEY); // there is none in the session, which counts for more
    int again = user_key("revoked", "y", OWN);
    CHECK(again > 0 && again != key && request("user", "revoked", 0) == again);
    CHECK(ctl(KEYCTL_INVALIDATE, (unsigned long)gone, 0, 0, 0) == 0);
    CHECK_ERRNO(request("user", "gone", 0), ENOKEY);
    CHECK(ctl(KEYCTL_SET_TIMEOUT, (unsigned long)old, 1, 0, 0) == 0 && reads(old, "x"));
    usleep(2100000);
    CHECK_ERRNO(search(OWN, "user", "old", 0), EKEYEXPIRED);
    CHECK_ERRNO(ctl(KEYCTL_UPDATE, (unsigned long)old, (unsigned long)"y", 1, 0), EKEYEXPIRED);
    int a = ring("a", OWN);
    CHECK(user_key("k", "x", a) > 0 && ctl(KEYCTL_REVOKE, (unsigned long)a, 0, 0, 0) == 0);
    CHECK_ERRNO(request("user", "k", 0), ENOKEY);
    CHECK_ERRNO(user_key("l", "x", a), EKEYREVOKED);
}

// A key of root's that somebody has the serial of.
static int as_somebody(void *arg) {
    int key = *(int *)arg;
    become_somebody();
    ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
    errno = 0;
    long n = ctl(KEYCTL_READ, (unsigned long)key, 0, 0, 0);
    return n >= 0 ? 1 : errno;
}

TEST(permissions_are_of_owner_others_and_possessor) {
    int key = user_key("k", "x", OWN);
    CHECK(test_wait_exit(test_fork(as_somebody, &key)) == EACCES);
    CHECK(ctl(KEYCTL_SETPERM, (unsigned long)key, 0x3f000002, 0, 0) == 0); // others may read
    CHECK(test_wait_exit(test_fork(as_somebody, &key)) == 1);
    CHECK(ctl(KEYCTL_SETPERM, (unsigned long)key, 0x28000000, 0, 0) ==
          0); // the possessor finds it and changes its attributes
    CHECK_ERRNO(ctl(KEYCTL_DESCRIBE, (unsigned long)key, 0, 0, 0), EACCES);
    CHECK_ERRNO(ctl(KEYCTL_UPDATE, (unsigned long)key, (unsigned long)"y", 1, 0), EACCES);
    CHECK_ERRNO(ctl(KEYCTL_LINK, (unsigned long)key, (unsigned long)THREAD, 0, 0), EACCES);
    CHECK(reads(key, "x")); // what is possessed is read
    CHECK(ctl(KEYCTL_REVOKE, (unsigned long)key, 0, 0, 0) == 0);
    key = user_key("l", "x", OWN);
    CHECK(ctl(KEYCTL_SETPERM, (unsigned long)key, 0x37000000, 0, 0) == 0); // all but that
    CHECK_ERRNO(search(OWN, "user", "l", 0), EACCES);
    CHECK_ERRNO(ctl(KEYCTL_READ, (unsigned long)key, 0, 0, 0), EACCES);
    int mine = user_key("mine", "x", OWN);
    CHECK(ctl(KEYCTL_CHOWN, (unsigned long)mine, NOBODY, NOBODY, 0) == 0 &&
          is_described(mine, "user;1234;1234;3f010000;mine"));
    CHECK(ctl(KEYCTL_CHOWN, (unsigned long)mine, -1ul, -1ul, 0) == 0);
    become_somebody();
    CHECK_ERRNO(ctl(KEYCTL_CHOWN, (unsigned long)mine, 0, -1ul, 0), EACCES);
    CHECK_ERRNO(ctl(KEYCTL_CHOWN, (unsigned long)mine, -1ul, 5, 0), EACCES);
}

TEST(sessions_are_inherited_joined_and_left) {
    int first = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), key = user_key("k", "x", SES);
    CHECK(first > 0 && ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)SES, 0, 0, 0) == first &&
          is_described(first, "keyring;0;0;3f030000;_ses"));
    pid_t pid = fork();
    if (!pid)
        _exit(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)SES, 0, 0, 0) != first ||
              request("user", "k", 0) != key);
    CHECK(test_wait_exit(pid) == 0);
    int named = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)"room", 0, 0, 0);
    CHECK(named > 0 && named != first && is_described(named, "keyring;0;0;3f130000;room"));
    CHECK_ERRNO(request("user", "k", 0), ENOKEY);
    CHECK(ctl(KEYCTL_SETPERM, (unsigned long)named, ALL, 0, 0) == 0);
    CHECK(ctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)"room", 0, 0, 0) == 0); // where one is
    pid = fork();
    if (!pid) {
        int other = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
        _exit(other == named || ctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)"room", 0, 0, 0) != named);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK_ERRNO(ctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)".room", 0, 0, 0), EPERM);
}

static void *own_thread_ring(void *arg) {
    *(long *)arg = ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 0, 0, 0) == -1 && errno == ENOKEY &&
                   ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 1, 0, 0) > 0;
    return NULL;
}

TEST(threads_and_processes_have_their_own) {
    pthread_t t;
    long ok = 0;
    CHECK_ERRNO(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 0, 0, 0), ENOKEY);
    CHECK_ERRNO(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)OWN, 0, 0, 0), ENOKEY);
    int thread = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 1, 0, 0),
        own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)OWN, 1, 0, 0);
    CHECK(thread > 0 && own > 0 && own != thread && is_described(thread, "keyring;0;0;3f010000;_tid") &&
          is_described(own, "keyring;0;0;3f010000;_pid"));
    pid_t pid = fork();
    if (!pid)
        _exit(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)OWN, 0, 0, 0) != -1 ||
              ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 0, 0, 0) != -1);
    CHECK(test_wait_exit(pid) == 0);
    CHECK(pthread_create(&t, NULL, own_thread_ring, &ok) == 0);
    (void)ok; // it begins with one if its maker has one
    CHECK(pthread_join(t, NULL) == 0);
    CHECK_ERRNO(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)KEY_SPEC_REQKEY_AUTH_KEY, 0, 0, 0), ENOKEY);
}

TEST(users_have_theirs) {
    char text[64];
    int own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)USER, 0, 0, 0);
    CHECK(own > 0 && is_described(own, "keyring;0;65534;1f3f0000;_uid.0"));
    int session = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0);
    CHECK(session > 0 && is_described(session, "keyring;0;65534;1f3f0000;_uid_ses.0"));
    int key = user_key("of-user", "x", USER);
    CHECK(key > 0);
    pid_t pid = fork();
    if (!pid) {
        become_somebody();
        int other = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)USER, 0, 0, 0);
        snprintf(text, sizeof(text), "keyring;%d;65534;1f3f0000;_uid.%d", NOBODY, NOBODY);
        _exit(other == own || !is_described(other, text));
    }
    CHECK(test_wait_exit(pid) == 0 && ctl(KEYCTL_UNLINK, (unsigned long)key, (unsigned long)USER, 0, 0) == 0);
}

// A user's keyring of the name, once it is not `old`: links to what is dead go in a while.
static int get_new_ring(int name, int old) {
    int id = 0;
    for (int i = 0; i < 300 && (i == 0 || id <= 0 || id == old); i++) {
        if (i)
            usleep(10000);
        id = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)name, 0, 0, 0);
    }
    return id;
}

static int lose_rings(void *arg) {
    (void)arg;
    become_somebody();
    if (ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) <= 0)
        return 1;
    int own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)USER, 0, 0, 0),
        session = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0);
    if (ctl(KEYCTL_INVALIDATE, (unsigned long)own, 0, 0, 0))
        return 2;
    int own2 = get_new_ring(USER, own);
    if (own2 == own || user_key("after", "x", own2) <= 0 ||
        ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0) != session)
        return 3;
    if (ctl(KEYCTL_INVALIDATE, (unsigned long)session, 0, 0, 0))
        return 4;
    char name[32];
    snprintf(name, sizeof(name), "_uid.%d", NOBODY);
    int session2 = get_new_ring(KEY_SPEC_USER_SESSION_KEYRING, session);
    return session2 == session || search(session2, "keyring", name, 0) != own2 ? 5 : 0;
}

TEST(users_who_lose_theirs_get_new_ones) {
    CHECK(test_wait_exit(test_fork(lose_rings, NULL)) == 0);
}

static bool proc_has(const char *path, const char *text) {
    char line[400];
    bool found = false;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        found |= strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return found;
}

TEST(proc_tells_of_keys) {
    char text[100];
    int a = ring("my-ring", OWN), key = user_key("my-key", "12345", a);
    CHECK(ctl(KEYCTL_SET_TIMEOUT, (unsigned long)key, 3700, 0, 0) == 0);
    snprintf(text, sizeof(text), "%08x I--Q---     1   1h 3f010000     0     0 user      my-key: 5\n",
             (unsigned)key);
    CHECK(proc_has("/proc/keys", text));
    snprintf(text, sizeof(text), "%08x I--Q---     1 perm 3f010000     0     0 keyring   my-ring: 1\n",
             (unsigned)a);
    CHECK(proc_has("/proc/keys", text));
    int own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)OWN, 0, 0, 0);
    snprintf(text, sizeof(text), "%08x I--Q---     1 perm 3f010000     0     0 keyring   _pid: 1\n",
             (unsigned)own);
    CHECK(proc_has("/proc/keys", text));
    CHECK(proc_has("/proc/key-users", "    0: ") && proc_has("/proc/key-users", "/1000000 ") &&
          proc_has("/proc/key-users", "/25000000\n"));
    CHECK(ctl(KEYCTL_SETPERM, (unsigned long)key, 0x20000000, 0, 0) == 0 &&
          !proc_has("/proc/keys", "my-key"));
}

TEST(a_user_has_as_many_as_he_may) {
    char name[20], text[2000];
    memset(text, 'x', sizeof(text));
    CHECK(proc_has("/proc/sys/kernel/keys/maxkeys", "200\n") &&
          proc_has("/proc/sys/kernel/keys/maxbytes", "20000\n"));
    become_somebody();
    int n = 0, last = 0;
    for (; n < 300; n++) {
        snprintf(name, sizeof(name), "k%d", n);
        int key = user_key(name, "x", OWN);
        if (key < 0)
            break;
        last = key;
    }
    CHECK(errno == EDQUOT && n > 150 && n < 201);
    CHECK(ctl(KEYCTL_UNLINK, (unsigned long)last, (unsigned long)OWN, 0, 0) == 0);
    usleep(100000);
    CHECK(user_key("another", "x", OWN) > 0 && ctl(KEYCTL_CLEAR, (unsigned long)OWN, 0, 0, 0) == 0);
    usleep(100000);
    for (n = 0; n < 20; n++) {
        snprintf(name, sizeof(name), "k%d", n);
        if (add("user", name, text, sizeof(text), OWN) < 0)
            break;
    }
    CHECK(errno == EDQUOT && (n == 9 || n == 8));
}

static int in_own_namespace(void *arg) {
    int outside = *(int *)arg;
    if (unshare(CLONE_NEWUSER) || test_put("/proc/self/uid_map", "0 0 1"))
        return 2;
    int own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)USER, 0, 0, 0);
    return own <= 0 || own == outside || !is_described(own, "keyring;0;65534;1f3f0000;_uid.0");
}

#define FEW      3
#define NEWCOMER 4321 // who has none yet

// A thread's keyring is never refused. Then there are too many, and only bytes count for those that are there.
static int have_one_too_many(void *arg) {
    int key = 0, n = 0;
    (void)arg;
    CHECK(setresgid(NEWCOMER, NEWCOMER, NEWCOMER) == 0 && setresuid(NEWCOMER, NEWCOMER, NEWCOMER) == 0);
    for (char name[] = "a"; n < 10; n++, name[0]++) {
        int next = user_key(name, "short", OWN);
        if (next < 0)
            break;
        key = next;
    }
    CHECK(n == FEW - 1 && errno == EDQUOT); // beside the keyring that they are in
    CHECK(ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)THREAD, 1, 0, 0) > 0);
    CHECK(ctl(KEYCTL_UPDATE, (unsigned long)key, (unsigned long)"something longer", 16, 0) == 0);
    CHECK(ctl(KEYCTL_LINK, (unsigned long)key, (unsigned long)THREAD, 0, 0) == 0);
    CHECK_ERRNO(user_key("another", "short", THREAD), EDQUOT);
    return 0;
}

TEST(who_has_too_many_keys_may_still_write_to_them) {
    CHECK(!test_put("/proc/sys/kernel/keys/maxkeys", "3\n"));
    int status = test_wait_exit(test_fork(have_one_too_many, NULL));
    CHECK(!test_put("/proc/sys/kernel/keys/maxkeys", "200\n") && status == 0);
}

static double seconds_to_read_keys(void) {
    static char text[1 << 16];
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        struct timespec from, to;
        int fd = open("/proc/keys", O_RDONLY);
        clock_gettime(CLOCK_MONOTONIC, &from);
        while (read(fd, text, sizeof(text)) > 0)
            ;
        clock_gettime(CLOCK_MONOTONIC, &to);
        CHECK(fd >= 0 && close(fd) == 0);
        double t = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
        best = t < best ? t : best;
    }
    return best;
}

// Not with their square. (What one possesses is looked for among the links of one's keyrings.)
TEST(the_time_to_read_keys_grows_with_their_number) {
    char name[16];
    double few = 0;
    int in = ring("many", OWN);
    for (int n = 0; n < 4000; n++) {
        snprintf(name, sizeof(name), "n%d", n);
        CHECK(user_key(name, "x", in) > 0);
        if (n == 149)
            few = seconds_to_read_keys();
    }
    double many = seconds_to_read_keys();
    printf("%.2f ms, %.2f ms\n", few * 1000, many * 1000);
    CHECK(ctl(KEYCTL_REVOKE, (unsigned long)in, 0, 0, 0) == 0);
    CHECK(many < 120 * few);
}

TEST(user_namespaces_have_their_own_users) {
    int own = (int)ctl(KEYCTL_GET_KEYRING_ID, (unsigned long)USER, 0, 0, 0);
    for (int i = 0; i < 20; i++)
        CHECK(test_wait_exit(test_fork(in_own_namespace, &own)) == 0);
}

static void *link_and_unlink(void *arg) {
    int *rings = arg;
    for (int i = 0; i < 300; i++) {
        ctl(KEYCTL_LINK, (unsigned long)rings[0], (unsigned long)rings[1], 0, 0);
        user_key("race", "x", rings[0]);
        ctl(KEYCTL_UNLINK, (unsigned long)rings[0], (unsigned long)rings[1], 0, 0);
        ctl(KEYCTL_CLEAR, (unsigned long)rings[0], 0, 0, 0);
    }
    return NULL;
}

// Two that want to hold each other: never both do.
TEST(links_race) {
    int a = ring("a", SES), b = ring("b", SES), one[] = {a, b}, two[] = {b, a};
    pthread_t t;
    CHECK(a > 0 && b > 0 && pthread_create(&t, NULL, link_and_unlink, one) == 0);
    link_and_unlink(two);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(ctl(KEYCTL_LINK, (unsigned long)a, (unsigned long)b, 0, 0) == 0);
    CHECK_ERRNO(ctl(KEYCTL_LINK, (unsigned long)b, (unsigned long)a, 0, 0), EDEADLK);
}
