// SPDX-License-Identifier: MIT
#include "fs/fsopen.h"
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/mount.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/wait.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define OPTIONS_MAX  4096u // bytes of all parameters together
#define MESSAGES     8u    // that are kept; of more the oldest go
#define MESSAGE_SIZE 128u
#define ROOM         4u // in mounts, for all this and a file system that nobody has mounted

enum phase { CREATING, MADE, MOUNTED, CHANGING, FAILED };

struct setup {
    struct mutex lock; // over all that changes
    const struct fs_type *type;
    struct user *user; // on whose account it is
    enum phase phase;
    char *source;            // kmalloc'ed, NULL: it was not said
    char *options;           // kmalloc'ed, OPTIONS_MAX: as mount(2) has them; NULL: none
    size_t len;              // of these
    unsigned int clear, set; // SUPERBLOCK flags that were said: off, on
    struct dentry *root;     // referenced, once it is made
    struct superblock *sb;   // referenced: that is to be changed
    unsigned int first, count;
    char message[MESSAGES][MESSAGE_SIZE];
};

// ---- what went wrong

// "e type: text 'word'", or without a word.
static int complain(struct setup *s, int err, const char *text, const char *word) {
    unsigned int n = (s->first + s->count) % MESSAGES;
    if (s->count == MESSAGES)
        s->first = (s->first + 1) % MESSAGES;
    else
        s->count++;
    if (word)
        lib_snprintf(s->message[n], MESSAGE_SIZE, "e %s: %s '%s'\n", s->type->name, text, word);
    else
        lib_snprintf(s->message[n], MESSAGE_SIZE, "e %s: %s\n", s->type->name, text);
    return err;
}

// One message a call.
static ssize_t setup_read(struct file *f, struct uio *u, off_t *pos) {
    struct setup *s = f->private_data;
    char text[MESSAGE_SIZE];
    ssize_t ret = -ENODATA;
    (void)pos;
    if (mutex_lock_killable(&s->lock))
        return -EINTR;
    if (s->count) {
        strlcpy(text, s->message[s->first], sizeof(text));
        ret = strlen(text) > u->resid ? -EMSGSIZE : (ssize_t)strlen(text);
    }
    if (ret > 0) {
        s->first = (s->first + 1) % MESSAGES;
        s->count--;
    }
    mutex_unlock(&s->lock);
    return ret > 0 && uio_write_to(u, text, (size_t)ret) != (size_t)ret ? -EFAULT : ret;
}

// ---- life

static void setup_release(struct file *f) {
    struct setup *s = f->private_data;
    if (s->root)
        dentry_put(s->root);
    if (s->sb)
        superblock_put(s->sb);
    kfree(s->source);
    kfree(s->options);
    mount_give_back(s->user, ROOM);
    kfree(s);
}

static const struct file_ops setup_ops = {.read = setup_read, .release = setup_release};

static struct file *create(const struct fs_type *type, struct superblock *sb) {
    struct setup *s = kzalloc(sizeof(*s));
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->user = mount_reserve(ROOM);
    if (!s->user) {
        kfree(s);
        return ERR_PTR(-ENOSPC);
    }
    mutex_init(&s->lock);
    s->type = type;
    s->phase = sb ? CHANGING : CREATING;
    struct file *f = file_create_anon("[fscontext]", &setup_ops, s, O_RDWR);
    if (IS_ERR(f)) {
        mount_give_back(s->user, ROOM);
        kfree(s);
        return f;
    }
    if (sb)
        ref_get(&sb->refs);
    s->sb = sb;
    return f;
}

struct file *fsopen_create(const struct fs_type *type) {
    return create(type, NULL);
}

struct file *fsopen_pick(const struct path *at) {
    if (at->dentry != at->mount->root)
        return ERR_PTR(-EINVAL);
    return create(at->mount->sb->type, at->mount->sb);
}

bool fsopen_is(const struct file *f) {
    return f->ops == &setup_ops;
}

// ---- parameters

// Words that are about every file system. True if `key` is one.
static bool set_common(struct setup *s, const char *key) {
    static const struct {
        const char *name;
        unsigned int flag;
        bool on;
    } words[] = {{"ro", MS_RDONLY, true},
                 {"rw", MS_RDONLY, false},
                 {"sync", MS_SYNCHRONOUS, true},
                 {"async", MS_SYNCHRONOUS, false},
                 {"dirsync", MS_DIRSYNC, true},
                 {"lazytime", MS_LAZYTIME, true},
                 {"nolazytime", MS_LAZYTIME, false},
                 {"mand", MS_MANDLOCK, true},
                 {"nomand", MS_MANDLOCK, false}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(words[i].name, key))
            continue;
        unsigned int *to = words[i].on ? &s->set : &s->clear, *from = words[i].on ? &s->clear : &s->set;
        *to |= words[i].flag;
        *from &= ~words[i].flag;
        return true;
    }
    return false;
}

static int set_source(struct setup *s, const char *value) {
    if (!value)
        return complain(s, -EINVAL, "without a value:", "source");
    if (s->source)
        return complain(s, -EINVAL, "multiple sources", NULL);
    s->source = kstrndup(value, strlen(value));
    return s->source ? 0 : -ENOMEM;
}

static int add_option(struct setup *s, const char *key, const char *value) {
    size_t more = 1 + strlen(key) + (value ? 1 + strlen(value) : 0);
    if (strchr(key, ',') || strchr(key, '=') || (value && strchr(value, ',')))
        return complain(s, -EINVAL, "option has a comma in it:", key);
    if (s->len + more + 1 > OPTIONS_MAX)
        return complain(s, -EINVAL, "too many options", NULL);
    if (!s->options && !(s->options = kmalloc(OPTIONS_MAX)))
        return -ENOMEM;
    s->len += (size_t)lib_snprintf(s->options + s->len, OPTIONS_MAX - s->len, "%s%s%s%s", s->len ? "," : "",
                                   key, value ? "=" : "", value ?: "");
    return 0;
}

static int set_locked(struct setup *s, const char *key, const char *value) {
    ASSERT_HELD(&s->lock);
    if (s->phase == MOUNTED) // once it is mounted it can be changed
        s->phase = CHANGING;
    if (s->phase != CREATING && s->phase != CHANGING)
        return -EBUSY;
    if (!value && set_common(s, key))
        return 0;
    return !strcmp(key, "source") ? set_source(s, value) : add_option(s, key, value);
}

int fsopen_set(struct file *f, const char *key, const char *value) {
    struct setup *s = f->private_data;
    if (mutex_lock_killable(&s->lock))
        return -EINTR;
    int err = set_locked(s, key, value);
    mutex_unlock(&s->lock);
    return err;
}

// ---- making and changing

static bool may_make(const struct fs_type *type) {
    return type->for_users || type->for_seers || capable(CAP_SYS_ADMIN);
}

static int make_locked(struct setup *s) {
    ASSERT_HELD(&s->lock);
    if (s->phase != CREATING)
        return -EBUSY;
    if (!may_make(s->type))
        return -EPERM;
    s->phase = FAILED;
    if (!s->type->mount) // for the kernel's own use
        return complain(s, -EINVAL, "it cannot be mounted", NULL);
    struct dentry *root = s->type->mount(s->type, s->source, s->options);
    if (IS_ERR(root))
        return complain(s, PTR_ERR(root), "it cannot be made with these options:", s->options ?: "");
    s->root = root;
    if (!s->type->shared)
        root->inode->sb->flags = s->set;
    s->phase = MADE;
    return 0;
}

// What was said has been done.
static void forget_options(struct setup *s) {
    s->len = 0;
    s->clear = s->set = 0;
    if (s->options)
        s->options[0] = '\0';
}

static int change_locked(struct setup *s) {
    ASSERT_HELD(&s->lock);
    if (s->phase != CHANGING)
        return -EBUSY;
    int err = mount_reconfigure(s->sb, s->options, s->clear, s->set);
    if (err == -EPERM)
        return err;
    s->phase = err ? FAILED : MOUNTED;
    if (err)
        return complain(s, err, "it cannot be changed with these options:", s->options ?: "");
    forget_options(s);
    return 0;
}

static int with_lock(struct file *f, int (*fn)(struct setup *s)) {
    struct setup *s = f->private_data;
    if (mutex_lock_killable(&s->lock))
        return -EINTR;
    int err = fn(s);
    mutex_unlock(&s->lock);
    return err;
}

int fsopen_make(struct file *f) {
    return with_lock(f, make_locked);
}

int fsopen_change(struct file *f) {
    return with_lock(f, change_locked);
}

static struct file *mount_locked(struct setup *s, unsigned long flags) {
    ASSERT_HELD(&s->lock);
    if (s->phase != MADE)
        return ERR_PTR(s->sb ? -EBUSY : -EINVAL);
    dentry_get(s->root);
    struct superblock *sb = s->root->inode->sb;
    struct file *f = mount_open_new(s->root, s->source, flags);
    if (IS_ERR(f))
        return f;
    ref_get(&sb->refs);
    s->sb = sb;
    dentry_put(s->root);
    s->root = NULL;
    s->phase = MOUNTED;
    forget_options(s);
    return f;
}

struct file *fsopen_mount(struct file *f, unsigned long flags) {
    struct setup *s = f->private_data;
    if (mutex_lock_killable(&s->lock))
        return ERR_PTR(-EINTR);
    struct file *mounted = mount_locked(s, flags);
    mutex_unlock(&s->lock);
    return mounted;
}
