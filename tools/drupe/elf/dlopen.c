// SPDX-License-Identifier: MIT
#include "elf/dlopen.h"
#include <stdlib.h>
#include <string.h>
#include "elf/dynamic.h"
#include "common/json.h"

#define NOTE_OWNER "FDO"
#define NOTE_TYPE  0x407c0c0a

static const char *const priorities[] = {"required", "recommended", "suggested"};

static char *copy_string(const struct json *value) {
    return value ? xstrdup(value->string) : NULL;
}

static bool is_string_or_none(const struct json *value) {
    return !value || value->type == JSON_STRING;
}

static bool read_sonames(const struct json *value, struct strings *out) {
    if (!value || value->type != JSON_ARRAY || !value->count)
        return false;
    for (size_t i = 0; i < value->count; i++) {
        if (value->values[i].type != JSON_STRING || !*value->values[i].string)
            return false;
        strings_add(out, value->values[i].string);
    }
    return true;
}

static const char *read_one(const struct json *value, struct dlopen_note *out) {
    const struct json *priority = json_member(value, "priority");
    const struct json *feature = json_member(value, "feature");
    const struct json *description = json_member(value, "description");
    *out = (struct dlopen_note){.priority = DLOPEN_RECOMMENDED};
    if (value->type != JSON_OBJECT)
        return "it is not an array of objects";
    if (!is_string_or_none(priority) || !is_string_or_none(feature) || !is_string_or_none(description))
        return "priority, feature or description is not a string";
    if (!read_sonames(json_member(value, "soname"), &out->sonames))
        return "soname is not an array of names";
    if (priority) {
        size_t i = 0;
        while (i < 3 && strcmp(priority->string, priorities[i]) != 0)
            i++;
        if (i == 3)
            return "a priority is neither required, recommended nor suggested";
        out->priority = (enum dlopen_priority)i;
    }
    out->feature = copy_string(feature);
    out->description = copy_string(description);
    return NULL;
}

static const char *read_text(const char *text, size_t size, struct dlopen_notes *notes) {
    struct json json;
    const char *problem;
    size_t at;
    size = strnlen(text, size); // a NUL ends it, and padding may follow
    if (!json_read(text, size, &json, &problem, &at))
        return problem;
    if (json.type != JSON_ARRAY)
        problem = "it is not an array of objects";
    for (size_t i = 0; i < json.count && !problem; i++) {
        struct dlopen_note note;
        problem = read_one(&json.values[i], &note);
        if (problem)
            break;
        notes->at = xrealloc(notes->at, (notes->count + 1) * sizeof(*notes->at));
        notes->at[notes->count++] = note;
    }
    json_free(&json);
    return problem;
}

void dlopen_read(Elf *elf, const GElf_Phdr *ph, const char *host, struct dlopen_notes *notes) {
    Elf_Data *data = elf_chunk(elf, ph->p_offset, ph->p_filesz, ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    GElf_Nhdr header;
    size_t name, text;
    for (size_t at = 0; data && (at = gelf_getnote(data, at, &header, &name, &text)) > 0;) {
        const char *bytes = data->d_buf;
        if (header.n_type != NOTE_TYPE || header.n_namesz != sizeof(NOTE_OWNER) ||
            memcmp(bytes + name, NOTE_OWNER, sizeof(NOTE_OWNER)) != 0)
            continue;
        const char *problem = read_text(bytes + text, header.n_descsz, notes);
        if (problem)
            note("%s has a .note.dlopen that is not understood (%s); what it will dlopen() may need --also",
                 host, problem);
    }
}
