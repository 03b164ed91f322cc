// SPDX-License-Identifier: MIT
#include "silent.h"
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

void silent_add(struct view *v, struct closure *c, size_t index) {
    const struct dlopen_notes *notes = &c->all[index].object->dlopens;
    for (size_t i = 0; i < notes->count; i++)
        add_note(v, c, index, &notes->at[i]);
}
