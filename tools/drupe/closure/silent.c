// SPDX-License-Identifier: MIT
#include "closure/silent.h"
#include <stdlib.h>
#include <string.h>

// ---- hints ----

// Said at the end, when it is known what the tree has.
struct hint {
    struct strings names; // files: one of them in the tree makes the hint void
    char *text;
};
static struct hint *hints;
static size_t hints_count;

static void add_hint(const struct strings *names, char *text) {
    if (!is_new(xstrdup(text))) {
        free(text);
        return;
    }
    hints = xrealloc(hints, (hints_count + 1) * sizeof(*hints));
    hints[hints_count] = (struct hint){.text = text};
    for (size_t i = 0; i < names->count; i++)
        strings_add(&hints[hints_count].names, names->at[i]);
    hints_count++;
}

void silent_tell_hints(struct view *v) {
    for (size_t i = 0; i < hints_count; i++) {
        bool is_void = false;
        for (size_t n = 0; n < hints[i].names.count; n++)
            is_void |= closure_is_in_tree(v, hints[i].names.at[n]);
        if (!is_void)
            note("%s", hints[i].text);
        strings_free(&hints[i].names);
        free(hints[i].text);
    }
    free(hints);
    hints = NULL;
    hints_count = 0;
}

// ---- .note.dlopen ----

static char *join(const struct strings *names, const char *between) {
    char *all = xstrdup(names->at[0]);
    for (size_t i = 1; i < names->count; i++) {
        char *longer = xasprintf("%s%s%s", all, between, names->at[i]);
        free(all);
        all = longer;
    }
    return all;
}

// "libz.so.1 or libz.so, for compression (packs journals)"
static char *describe(const struct dlopen_note *note) {
    char *names = join(&note->sonames, " or ");
    char *text = xasprintf("%s%s%s%s%s%s", names, note->feature || note->description ? ", for " : "",
                           note->feature       ? note->feature
                           : note->description ? note->description
                                               : "",
                           note->feature && note->description ? " (" : "",
                           note->feature && note->description ? note->description : "",
                           note->feature && note->description ? ")" : "");
    free(names);
    return text;
}

// A library that no program here needs is opened by name itself: what it opens may be found by its program.
static bool may_be_found(struct view *v, const struct closure *c, const struct strings *names) {
    for (size_t i = 0; i < names->count && !c->all[0].object->interp; i++)
        if (closure_is_in_tree(v, names->at[i]))
            return true;
    return false;
}

static void report_required(const struct view *v, const struct loaded *l, const char *what,
                            const struct strings *dirs, const char *unusable) {
    if (!is_new(xasprintf("%s %s", l->path, what)))
        return;
    complain("/%s opens %s: required, %s%s", l->path, what,
             unusable ? "but " : "but in none of the places searched", unusable ? unusable : "");
    complain_more("opened by  %s (.note.dlopen)", l->object->host);
    closure_tell_places(v, dirs);
}

static void add_note(struct view *v, struct closure *c, size_t index, const struct dlopen_note *note) {
    struct strings dirs = {0};
    char *unusable = NULL, *what = describe(note);
    size_t found = SIZE_MAX, n = 0;
    if (note->priority == DLOPEN_SUGGESTED) {
        add_hint(&note->sonames, xasprintf("/%s may open %s; --also %s adds it", c->all[index].path, what,
                                           note->sonames.at[0]));
    } else {
        for (; n < note->sonames.count && found == SIZE_MAX; n++)
            found = closure_search(v, c, index, note->sonames.at[n], &dirs, &unusable);
        if (found != SIZE_MAX)
            closure_add_need(c, index, NEED_DLOPEN, note->sonames.at[n - 1], found);
        else if (note->priority == DLOPEN_REQUIRED && !may_be_found(v, c, &note->sonames))
            report_required(v, &c->all[index], what, &dirs, unusable);
        else if (note->priority == DLOPEN_RECOMMENDED)
            add_hint(&note->sonames, xasprintf("/%s opens %s: recommended, but not in the archive nor in the "
                                               "sysroots",
                                               c->all[index].path, what));
    }
    strings_free(&dirs);
    free(unusable);
    free(what);
}

// ---- glibc ----

#define LIBC         "libc.so.6"
#define UNWINDER     "libgcc_s.so.1"
#define NSS_CONF     "/etc/nsswitch.conf"
#define NSS_BUILT_IN "GLIBC_2.34" // a libc that defines this version has the services files and dns in it

// Functions that make glibc open UNWINDER, NSS services, and gconv modules.
static const char *const unwinding[] = {"pthread_cancel", "pthread_exit", "thrd_exit", "backtrace", NULL};
static const char *const looking_up[] = {
    "getaddrinfo",    "getnameinfo",     "gethostbyname", "gethostbyname2",  "gethostbyname_r",
    "gethostbyaddr",  "gethostbyaddr_r", "gethostent",    "getpwnam",        "getpwnam_r",
    "getpwuid",       "getpwuid_r",      "getpwent",      "getgrnam",        "getgrnam_r",
    "getgrgid",       "getgrgid_r",      "getgrent",      "getgrouplist",    "initgroups",
    "getspnam",       "getspnam_r",      "getservbyname", "getservbyname_r", "getservbyport",
    "getprotobyname", "getnetbyname",    "innetgr",       "getaliasbyname",  NULL};
static const char *const converting[] = {"iconv_open", NULL};

// The first object of the closure, glibc's own apart, that uses one of the functions, and which; NULL: none.
static const struct loaded *find_user(const struct closure *c, const char *const *functions,
                                      const char **which) {
    for (size_t i = 0; i < c->count; i++) {
        const struct object *o = c->all[i].object;
        if (o->soname && strcmp(o->soname, LIBC) == 0)
            continue;
        for (size_t f = 0; functions[f]; f++)
            if (symbols_use(&o->symbols, functions[f])) {
                *which = functions[f];
                return &c->all[i];
            }
    }
    return NULL;
}

static void add_unwinder(struct view *v, struct closure *c, size_t libc) {
    struct strings dirs = {0}, names = {0};
    char *unusable = NULL;
    const char *function;
    size_t found = closure_search(v, c, libc, UNWINDER, &dirs, &unusable);
    const struct loaded *user = find_user(c, unwinding, &function);
    strings_add(&names, UNWINDER);
    if (found != SIZE_MAX)
        closure_add_need(c, libc, NEED_SILENT, UNWINDER, found);
    else if (user)
        add_hint(&names, xasprintf("/%s uses %s, for which glibc opens " UNWINDER " and ends the program "
                                   "where it is not there: it is neither in the archive nor in a sysroot",
                                   user->path, function));
    strings_free(&dirs);
    strings_free(&names);
    free(unusable);
}

// A hint for the service `name`, once whoever uses it.
static void hint_service(const struct closure *c, const struct loaded *user, const char *function,
                         const char *name, const char *because) {
    const size_t libc = closure_find(c, LIBC);
    bool built_in = strings_have(&c->all[libc].object->versions.defined, NSS_BUILT_IN);
    struct strings names = {0};
    if (built_in && (strcmp(name, "files") == 0 || strcmp(name, "dns") == 0))
        return;
    char *file = xasprintf("libnss_%s.so.2", name);
    strings_add(&names, file);
    if (is_new(xasprintf("nss %s", name)))
        add_hint(&names, xasprintf("/%s uses %s, for which glibc opens %s, %s; --also %s adds it", user->path,
                                   function, file, because, file));
    strings_free(&names);
    free(file);
}

// nsswitch.conf: `database: service [STATUS=action] service`, comments.
static void hint_services(const struct closure *c, const struct loaded *user, const char *function,
                          char *text, const char *because) {
    for (char *line; (line = strsep(&text, "\n"));) {
        line[strcspn(line, "#\r")] = '\0';
        char *services = strchr(line, ':');
        bool in_action = false;
        if (!services++)
            continue;
        for (char *service; (service = strsep(&services, " \t"));) {
            in_action |= *service == '[';
            if (*service && !in_action)
                hint_service(c, user, function, service, because);
            if (strchr(service, ']'))
                in_action = false;
        }
    }
}

static void add_services(struct view *v, const struct closure *c) {
    const char *function;
    const struct loaded *user = find_user(c, looking_up, &function);
    struct found f;
    size_t size;
    if (!user)
        return;
    if (view_resolve(v, NSS_CONF, 0, &f) == 0 && S_ISREG(f.st.st_mode)) {
        char *text = found_read(&f, &size);
        hint_services(c, user, function, text,
                      f.entry ? "as " NSS_CONF " has it" : "if " NSS_CONF " of the sysroot goes in");
        free(text);
    }
    if (!f.entry) { // glibc's defaults hold
        hint_service(c, user, function, "files", "by default");
        hint_service(c, user, function, "dns", "by default");
    }
}

static void hint_conversions(const struct closure *c) {
    const char *function;
    const struct loaded *user = find_user(c, converting, &function);
    struct strings names = {0};
    if (!user)
        return;
    strings_add(&names, "gconv-modules");
    strings_add(&names, "gconv-modules.cache");
    if (is_new(xstrdup("gconv")))
        add_hint(&names, xasprintf("/%s uses %s: for other character sets than UTF-8 and ASCII glibc opens "
                                   "gconv modules; --gconv NAME adds those of a character set",
                                   user->path, function));
    strings_free(&names);
}

void silent_add(struct view *v, struct closure *c, size_t index) {
    const struct object *o = c->all[index].object;
    for (size_t i = 0; i < o->dlopens.count; i++)
        add_note(v, c, index, &o->dlopens.at[i]);
    if (c->loader->kind == LOADER_GLIBC && c->all[0].object->interp && o->soname &&
        strcmp(o->soname, LIBC) == 0)
        add_unwinder(v, c, index);
}

void silent_add_hints(struct view *v, const struct closure *c) {
    if (c->loader->kind == LOADER_GLIBC && closure_find(c, LIBC) != SIZE_MAX) {
        add_services(v, c);
        hint_conversions(c);
    }
}
