// SPDX-License-Identifier: MIT
// The file's format (glibc's "new" one; an old one may stand in front of it):
//   "glibc-ld.so.cache1.1", the number of libraries, bytes of strings, a byte for the byte order, 3 unused,
//   the offset of extensions, 12 unused; for each library, by name from the last to the first: flags, offsets of name
//   and path, an OS version, 8 bytes of capabilities; the strings.
// Offsets count from the format's magic.
#include "closure/ldcache.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC        "glibc-ld.so.cache1.1"
#define MAGIC_SIZE   (sizeof(MAGIC) - 1)
#define OLD_MAGIC    "ld.so-1.7.0"
#define OLD_HEADER   16 // and for each library:
#define OLD_ENTRY    12
#define HEADER       48
#define ENTRY        24
#define AT_COUNT     20 // in the header
#define AT_STRINGS   24
#define AT_ORDER     28
#define LITTLE       2
#define FLAGS_DOUBLE 0x1003u // of a library for glibc 2 and lp64d
#define FLAGS_SOFT   0x0f03u // and lp64

#define HAS_NAMED   (1ull << 62)
#define INCLUDE_MAX 8
#define CONF        "/etc/ld.so.conf"

struct listed {
    char *name, *path;
};

// What is known of one cache: of the tree, or of below.
struct cache {
    char *path;
    bool of_tree;
    const struct loader *loader;
    struct listed *at;
    size_t count;
    struct strings conf; // directories of ld.so.conf; none where the tree has the cache
    bool is_there;
    bool used;
    struct cache *next;
};

static struct cache *caches;

// ---- reading

static uint32_t word(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t flags_of(const struct loader *l) {
    return l->object && !(l->object->flags & EF_RISCV_FLOAT_ABI) ? FLAGS_SOFT : FLAGS_DOUBLE;
}

// Where the new format begins; NULL: nowhere.
static const char *find_format(const char *bytes, size_t size) {
    if (size >= OLD_HEADER && memcmp(bytes, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) == 0) {
        uint64_t skip = (OLD_HEADER + (uint64_t)word(bytes + OLD_HEADER - 4) * OLD_ENTRY + 7) & ~7ull;
        if (skip > size)
            return NULL;
        bytes += skip;
        size -= skip;
    }
    return size >= HEADER && memcmp(bytes, MAGIC, MAGIC_SIZE) == 0 ? bytes : NULL;
}

static const char *string_in(const char *format, size_t size, uint32_t offset) {
    return offset < size && memchr(format + offset, '\0', size - offset) ? format + offset : NULL;
}

static void add_listed(struct cache *c, const char *name, const char *path) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->at[i].name, name) == 0)
            return; // the first is taken
    if ((c->count & (c->count - 1)) == 0)
        c->at = xrealloc(c->at, (c->count ? 2 * c->count : 1) * sizeof(*c->at));
    c->at[c->count++] = (struct listed){xstrdup(name), xstrdup(path)};
}

static void read_cache(struct cache *c, const char *bytes, size_t size) {
    const char *format = find_format(bytes, size);
    if (!format) {
        note("%s is no cache that glibc reads", c->path);
        return;
    }
    size -= (size_t)(format - bytes);
    int order = format[AT_ORDER] & 3;
    uint64_t count = word(format + AT_COUNT);
    if ((order && order != LITTLE) || count > (size - HEADER) / ENTRY) {
        note("%s is damaged, or for another machine", c->path);
        return;
    }
    for (const char *e = format + HEADER; count--; e += ENTRY) {
        const char *name = string_in(format, size, word(e + 4)), *path = string_in(format, size, word(e + 8));
        bool named = word(e + 20) & (uint32_t)(HAS_NAMED >> 32); // glibc-hwcaps: RISC-V has none
        if (name && path && *path == '/' && word(e) == flags_of(c->loader) && !named)
            add_listed(c, name, path);
    }
}

// ---- ld.so.conf

static char *read_text(struct view *v, const char *path, size_t *size) {
    struct found f;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return NULL;
    return found_read(&f, size);
}

static void add_conf(struct view *v, const char *path, struct strings *dirs, int depth);

static void add_conf_glob(struct view *v, const char *pattern, struct strings *dirs, int depth) {
    char full[PATHNAME_MAX + 1];
    if (pathname_join("etc", pattern, full, sizeof(full)))
        return;
    char *parent = xstrndup(full, pathname_parent_length(full));
    struct strings names = {0};
    struct found f;
    if (view_resolve(v, parent, 0, &f) == 0)
        view_list(v, f.path, &names);
    for (size_t i = 0; i < names.count; i++)
        if (fnmatch(pathname_base(full), names.at[i], FNM_PERIOD) == 0) {
            char *path = xasprintf("%s/%s", parent, names.at[i]);
            add_conf(v, path, dirs, depth + 1);
            free(path);
        }
    strings_free(&names);
    free(parent);
}

// A directory on each line, `include GLOB`, comments.
static void add_conf(struct view *v, const char *path, struct strings *dirs, int depth) {
    size_t size;
    char *text = depth < INCLUDE_MAX ? read_text(v, path, &size) : NULL, *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "#")] = '\0';
        line += strspn(line, " \t\r");
        for (size_t n = strlen(line); n && strchr(" \t\r/", line[n - 1]); n--)
            line[n - 1] = '\0';
        if (strncmp(line, "include", 7) == 0 && (line[7] == ' ' || line[7] == '\t'))
            add_conf_glob(v, line + 7 + strspn(line + 7, " \t"), dirs, depth);
        else if (*line == '/' && !strings_have(dirs, line))
            strings_add(dirs, line);
    }
    free(text);
}

// ---- looking up

static struct cache *cache_of(struct view *v, const struct loader *l) {
    struct found f;
    size_t size;
    if (!l->cache)
        return NULL;
    bool is_there = view_resolve(v, l->cache, 0, &f) == 0 && S_ISREG(f.st.st_mode);
    bool of_tree = v->complete || (is_there && f.entry);
    for (struct cache *c = caches; c; c = c->next)
        if (strcmp(c->path, l->cache) == 0 && c->of_tree == of_tree && c->loader == l)
            return c;
    struct cache *c = xcalloc(1, sizeof(*c));
    *c = (struct cache){
        .path = l->cache, .of_tree = of_tree, .loader = l, .is_there = is_there, .next = caches};
    caches = c;
    if (is_there) {
        char *bytes = found_read(&f, &size);
        read_cache(c, bytes, size);
        free(bytes);
    }
    if (!of_tree)
        add_conf(v, CONF, &c->conf, 0);
    return c;
}

static bool is_file(struct view *v, const char *path) {
    struct found f;
    return view_resolve(v, path, 0, &f) == 0 && S_ISREG(f.st.st_mode);
}

// ldconfig lists nothing else.
static bool is_library_name(const char *name) {
    return (strncmp(name, "lib", 3) == 0 || strncmp(name, "ld-", 3) == 0) && strstr(name, ".so");
}

static char *look_up(struct view *v, const struct cache *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->at[i].name, name) == 0 && (c->of_tree || is_file(v, c->at[i].path)))
            return xstrdup(c->at[i].path);
    for (size_t i = 0; i < c->conf.count && is_library_name(name); i++) {
        char *path = xasprintf("%s/%s", c->conf.at[i], name);
        if (is_file(v, path))
            return path;
        free(path);
    }
    return NULL;
}

char *ldcache_lookup(struct view *v, const struct loader *l, const char *name) {
    const struct cache *c = cache_of(v, l);
    return c ? look_up(v, c, name) : NULL;
}

void ldcache_used(struct view *v, const struct loader *l) {
    struct cache *c = cache_of(v, l);
    if (c)
        c->used = true;
}

void ldcache_directories(struct view *v, const struct loader *l, struct strings *dirs) {
    const struct cache *c = cache_of(v, l);
    for (size_t i = 0; c && i < c->count; i++) {
        char *dir = xstrndup(c->at[i].path, (size_t)(strrchr(c->at[i].path, '/') - c->at[i].path));
        if (*dir && !strings_have(dirs, dir))
            strings_add(dirs, dir);
        free(dir);
    }
    for (size_t i = 0; c && i < c->conf.count; i++)
        if (!strings_have(dirs, c->conf.at[i]))
            strings_add(dirs, c->conf.at[i]);
}

char *ldcache_describe(struct view *v, const struct loader *l) {
    const struct cache *c = cache_of(v, l);
    if (!c || (!c->is_there && !v->complete && !c->conf.count))
        return NULL;
    if (c->is_there)
        return xasprintf("%s, which does not list it%s", c->path,
                         c->conf.count ? "; the directories of " CONF : "");
    return v->complete ? xasprintf("%s, which is not there", c->path) : xstrdup("the directories of " CONF);
}

// ---- writing

// As glibc compares names: digits as numbers.
static int compare_names(const char *a, const char *b) {
    while (*a && *b) {
        bool a_digit = *a >= '0' && *a <= '9', b_digit = *b >= '0' && *b <= '9';
        if (a_digit && b_digit) {
            unsigned long x = strtoul(a, (char **)&a, 10), y = strtoul(b, (char **)&b, 10);
            if (x != y)
                return x < y ? -1 : 1;
        } else if (a_digit || b_digit) {
            return a_digit ? 1 : -1;
        } else if (*a != *b) {
            return *a < *b ? -1 : 1;
        } else {
            a++, b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int compare_listed(const void *a, const void *b) {
    return compare_names(((const struct listed *)b)->name, ((const struct listed *)a)->name);
}

// The path that the cache is to give for a name: one that leads to a file of the tree, or
// of the base, which goes in as a whole. NULL: none.
static char *path_in_tree(struct view *v, const struct cache *c, const char *name) {
    struct found f;
    char *path = look_up(v, c, name);
    if (path && (view_resolve(v, path, 0, &f) || (!f.entry && !f.base))) {
        free(path);
        path = NULL;
    }
    return path;
}

static void collect(struct view *v, const struct cache *c, const char *name, struct cache *out) {
    char *path = path_in_tree(v, c, name);
    if (path)
        add_listed(out, name, path);
    free(path);
}

static void collect_all(struct view *v, const struct cache *c, struct cache *out) {
    for (size_t i = 0; i < c->count; i++)
        collect(v, c, c->at[i].name, out);
    for (size_t i = 0; i < c->conf.count; i++) {
        struct found f;
        if (view_resolve(v, c->conf.at[i], 0, &f))
            continue;
        size_t length = strlen(f.path);
        for (struct entry *e = tree_from(&v->tree, f.path); e && pathname_is_below(e->path, f.path);
             e = tree_next(e))
            if (!S_ISDIR(e->mode) && pathname_parent_length(e->path) == length &&
                is_library_name(pathname_base(e->path)))
                collect(v, c, pathname_base(e->path), out);
    }
}

// Whether a cache would change what the loader finds: it lists something outside the loader's directories.
static bool steers(const struct cache *lists, const struct loader *l) {
    for (size_t i = 0; i < lists->count; i++) {
        const char *path = lists->at[i].path;
        char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
        bool usual = strings_have(&l->directories, dir);
        free(dir);
        if (!usual)
            return true;
    }
    return false;
}

static void put_word(char *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i));
}

static char *encode(const struct cache *lists, uint32_t flags, size_t *size) {
    size_t strings = HEADER + lists->count * ENTRY;
    *size = strings;
    for (size_t i = 0; i < lists->count; i++)
        *size += strlen(lists->at[i].name) + strlen(lists->at[i].path) + 2;
    char *bytes = xcalloc(1, *size), *e = bytes + HEADER;
    memcpy(bytes, MAGIC, MAGIC_SIZE);
    put_word(bytes + AT_COUNT, (uint32_t)lists->count);
    put_word(bytes + AT_STRINGS, (uint32_t)(*size - strings));
    bytes[AT_ORDER] = LITTLE;
    for (size_t i = 0; i < lists->count; i++, e += ENTRY) {
        const char *texts[] = {lists->at[i].name, lists->at[i].path};
        put_word(e, flags);
        for (int t = 0; t < 2; t++) {
            size_t length = strlen(texts[t]) + 1;
            put_word(e + 4 + 4 * t, (uint32_t)strings);
            memcpy(bytes + strings, texts[t], length);
            strings += length;
        }
    }
    return bytes;
}

static void write_cache(struct view *v, struct cache *c) {
    struct cache lists = {.path = c->path};
    struct found f;
    collect_all(v, c, &lists);
    if ((!c->used && !steers(&lists, c->loader)) || !lists.count ||
        view_resolve(v, c->path, VIEW_ADD | VIEW_MAY_LACK | VIEW_NO_FOLLOW, &f) || f.entry)
        return;
    qsort(lists.at, lists.count, sizeof(*lists.at), compare_listed);
    struct entry e = {.path = f.path,
                      .mode = S_IFREG | 0644,
                      .uid = v->uid,
                      .gid = v->gid,
                      .host = "the cache that drupe writes"};
    size_t size;
    e.bytes = encode(&lists, flags_of(c->loader), &size);
    e.size = size;
    tree_add(&v->tree, &e);
}

void ldcache_finish(struct view *v) {
    for (struct cache *c = caches; c; c = c->next)
        if (!c->of_tree)
            write_cache(v, c);
}
