// SPDX-License-Identifier: MIT
// The hot path reads a header, 13 x 8 hex digits, with a few instructions a field: eight digits are one
// 64-bit word, converted and checked together, and most fields are those of the entry before and recognised
// as such. Whether all digits were good is asked once a header; only then does the slow path look for the
// culprit.
#include "lib/cpio.h"
#include "lib/magic.h"
#include "lib/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "hex8() takes the first digit from the lowest byte");

#define SHOWN_NAME_MAX 255 // bytes of a name that messages show

#define MAGIC_SIZE 6
#define MAGIC_0707 0x37303730u // "0707", "01", "02" as words
#define MAGIC_01   0x3130u
#define MAGIC_02   0x3230u
#define FIELD_SIZE 8

static const char *const field_names[CPIO_FIELDS] = {
    "inode",        "mode",         "uid",        "gid",        "link count", "mtime",   "file size",
    "device major", "device minor", "rdev major", "rdev minor", "name size",  "checksum"};

#define EACH_BYTE(b) (0x0101010101010101ull * (b))

// Converts eight hex digits. Bits are set in *bad unless each is one of 0-9, a-f, A-F.
static inline uint32_t hex8(uint64_t digits, uint64_t *bad) {
    uint64_t letter = (digits >> 6) & EACH_BYTE(1); // bit 6 tells letters from figures
    uint64_t value = (digits & EACH_BYTE(0x0f)) + (letter << 3) + letter;
    // Good digits have values below 16 and are, in capitals, what these values are written as: '0' + value,
    // and 7 more from 10 on.
    uint64_t over9 = ((value + EACH_BYTE(6)) >> 4) & EACH_BYTE(1);
    *bad |= (value + EACH_BYTE('0') + (over9 << 3) - over9) ^ (digits & ~(letter << 5));
    *bad |= value & EACH_BYTE(0xf0);
    value = (value << 4 | value >> 8) & 0x00ff00ff00ff00ffull;
    value = (value << 8 | value >> 16) & 0x0000ffff0000ffffull;
    return (uint32_t)(value << 16 | value >> 32);
}

static inline uint32_t load4(const uint8_t *aligned) {
    uint32_t word;
    __builtin_memcpy(&word, __builtin_assume_aligned(aligned, 4), 4);
    return word;
}

// Whether any of the fields `from` to `to` differs from the header before, whose words are kept. A field is the
// upper half of a word, the next word, and the lower half of the third.
static inline __attribute__((always_inline)) bool fields_differ(const uint8_t *header, const uint32_t *old,
                                                                unsigned int from, unsigned int to) {
    unsigned int first = 1 + 2 * from, last = 3 + 2 * to;
    uint32_t change = (load4(header + 4 * first) ^ old[first]) >> 16;
    change |= (load4(header + 4 * last) ^ old[last]) << 16;
#pragma GCC unroll 16
    for (unsigned int i = first + 1; i < last; i++)
        change |= load4(header + 4 * i) ^ old[i];
    return change != 0;
}

// The field's last two digits, in the lower half of `digits`. Mostly nothing else of it has changed.
static inline uint32_t hex2(uint32_t digits, uint64_t *bad) {
    uint32_t value = 0;
    for (int i = 0; i < 2; i++, digits >>= 8) {
        uint32_t figure = (digits & 0xff) - '0', letter = ((digits & 0xff) | 0x20) - 'a';
        if (figure > 9 && letter > 5)
            *bad = 1;
        value = value << 4 | (figure <= 9 ? figure : letter + 10);
    }
    return value;
}

// Converts these fields, and keeps their words.
static __attribute__((noinline)) uint64_t take_fields(struct cpio_reader *r, const uint8_t *header,
                                                      unsigned int from, unsigned int to) {
    uint64_t bad = 0;
    for (unsigned int i = from; i <= to; i++) {
        const uint8_t *at = header + 4 + 8 * i;
        uint32_t *old = &r->words[1 + 2 * i], first = load4(at), middle = load4(at + 4), last = load4(at + 8);
        if ((first ^ old[0]) >> 16 | (middle ^ old[1])) {
            r->fields[i] = hex8(first >> 16 | (uint64_t)middle << 16 | (uint64_t)last << 48, &bad);
            old[0] = (old[0] & 0xffff) | (first & 0xffff0000);
            old[1] = middle;
        } else {
            r->fields[i] = (r->fields[i] & ~0xffu) | hex2(last, &bad);
        }
        old[2] = (old[2] & 0xffff0000) | (last & 0xffff);
    }
    return bad;
}

// Converts the header at `header`, aligned to 4, with two readable bytes behind it. False where it is none. Of
// what it has in common with the one before, which is most of it, the result is known: it is compared in
// groups of fields that change together.
static bool parse_header(struct cpio_reader *r, const uint8_t *header) {
    static const struct {
        uint8_t from, to;
    } groups[] = {{0, 0}, {1, 5}, {6, 6}, {7, 10}, {11, 11}, {12, 12}};
    uint64_t bad = 0;
    uint16_t kind = (uint16_t)load4(header + 4);
    if (load4(header) != MAGIC_0707 || (kind != MAGIC_01 && kind != MAGIC_02))
        return false;
#pragma GCC unroll 6
    for (unsigned int i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (fields_differ(header, r->words, groups[i].from, groups[i].to))
            bad |= take_fields(r, header, groups[i].from, groups[i].to);
    return bad == 0; // if not, the walk ends here
}

bool cpio_read_hex8(const void *digits, uint32_t *value) {
    uint64_t eight, bad = 0;
    __builtin_memcpy(&eight, digits, 8);
    *value = hex8(eight, &bad);
    return bad == 0;
}

static bool is_hex(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void cpio_open(struct cpio_reader *r, const void *buffer, uint64_t size) {
    *r = (struct cpio_reader){.buffer = buffer, .size = size};
    for (unsigned int i = 0; i < CPIO_HEADER_WORDS; i++)
        r->words[i] = (uint32_t)EACH_BYTE('0'); // what fields of 0 look like
}

static enum cpio_result fail(struct cpio_reader *r, enum cpio_problem problem, uint64_t offset) {
    r->failed = true;
    r->error = (struct cpio_error){.problem = problem,
                                   .archive = r->archive,
                                   .entry = r->index,
                                   .offset = offset,
                                   .remains = r->size - offset};
    return CPIO_ERROR;
}

static enum cpio_result fail_part(struct cpio_reader *r, enum cpio_problem problem, uint64_t offset,
                                  uint64_t needs, const char *name, size_t name_length) {
    fail(r, problem, offset);
    r->error.needs = needs;
    r->error.name = name;
    r->error.name_length = name_length;
    return CPIO_ERROR;
}

// Moves behind zeros; false at the end of the buffer.
static bool skip_zeros(struct cpio_reader *r) {
    uint64_t position = r->position;
    while (position < r->size && r->buffer[position] == 0) {
        position++;
        if (((uintptr_t)(r->buffer + position) & 7) != 0)
            continue;
        uint64_t word;
        for (; r->size - position >= 8; position += 8) {
            __builtin_memcpy(&word, __builtin_assume_aligned(r->buffer + position, 8), 8);
            if (word)
                break;
        }
    }
    r->position = position;
    return position < r->size;
}

const char *cpio_magic_name(const void *bytes, uint64_t size) {
    const struct magic *m = magic_find(bytes, size);
    return m && m->kind != MAGIC_CPIO ? m->name : NULL;
}

// The 110 bytes at the position are no header, or not all there: says which.
static enum cpio_result bad_header(struct cpio_reader *r) {
    const uint8_t *header = r->buffer + r->position;
    uint64_t remains = r->size - r->position;
    const char *found = cpio_magic_name(header, remains);
    if (found) {
        fail(r, CPIO_MAGIC_OTHER, r->position);
        r->error.found = found;
        return CPIO_ERROR;
    }
    if (__builtin_memcmp(header, "07070", remains < 5 ? remains : 5) != 0 ||
        (remains > 5 && header[5] != '1' && header[5] != '2'))
        return fail(r, CPIO_MAGIC_UNKNOWN, r->position);
    if (remains < CPIO_HEADER_SIZE)
        return fail_part(r, CPIO_HEADER_CUT, r->position, CPIO_HEADER_SIZE, NULL, 0);
    for (unsigned int i = MAGIC_SIZE; i < CPIO_HEADER_SIZE; i++)
        if (!is_hex(header[i])) {
            fail(r, CPIO_NOT_HEX, r->position + i);
            r->error.field = field_names[(i - MAGIC_SIZE) / FIELD_SIZE];
            break;
        }
    return CPIO_ERROR;
}

// Reads the header at the position into r->fields. False where it is none.
static bool read_header(struct cpio_reader *r) {
    const uint8_t *header = r->buffer + r->position;
    uint64_t remains = r->size - r->position;
    if (remains < CPIO_HEADER_SIZE)
        return false;
    if (((uintptr_t)header & 3) == 0 && remains >= CPIO_HEADER_SIZE + 2)
        return parse_header(r, header);
    uint8_t copy[CPIO_HEADER_SIZE + 2] __attribute__((aligned(4))) = {0};
    __builtin_memcpy(copy, header, CPIO_HEADER_SIZE);
    return parse_header(r, copy);
}

// Whether the name, of `size` bytes with its NUL, begins with the prefix. Both have the same alignment, 2 behind
// a multiple of 4, if the header is aligned, so that four bytes go at once.
static inline bool has_prefix(const struct cpio_prefix *prefix, const char *name, uint32_t size) {
    const char *p = prefix->text, *end = p + prefix->length;
    if (size <= prefix->length)
        return false;
    if (((uintptr_t)name & 3) == CPIO_NAME_ALIGNMENT && prefix->length >= 2) {
        uint16_t a, b;
        __builtin_memcpy(&a, __builtin_assume_aligned(name, 2), 2);
        __builtin_memcpy(&b, __builtin_assume_aligned(p, 2), 2);
        if (a != b)
            return false;
        name += 2;
        for (p += 2; end - p >= 4; p += 4, name += 4)
            if (load4((const uint8_t *)name) != load4((const uint8_t *)p))
                return false;
    }
    while (p < end)
        if (*name++ != *p++)
            return false;
    return true;
}

// Measures the name of `size` bytes, the last of which is NUL.
static inline void scan_name(const struct cpio_reader *r, struct cpio_entry *entry, const char *name,
                             uint32_t size) {
    bool known = r->prefix && has_prefix(r->prefix, name, size);
    uint32_t start = known ? r->prefix->length : 0;
    const char *p = name + start, *base = p;
    for (char c; (c = *p) != '\0'; p++)
        if (c == '/')
            base = p + 1;
    entry->name = name;
    entry->name_length = (uint32_t)(p - name);
    entry->base = (uint32_t)(base - name);
    entry->in_prefix = known && entry->base == start;
}

static inline uint64_t align4(uint64_t n) {
    return (n + 3) & ~3ull;
}

// Moves to the next header. CPIO_ENTRY when one can be tried at the position.
static enum cpio_result find_header(struct cpio_reader *r) {
    if (r->failed)
        return CPIO_ERROR;
    if (!skip_zeros(r))
        return CPIO_END;
    if (!r->in_archive) {
        r->base = r->position;
        r->archive++;
        r->index = 0;
    }
    r->index++;
    if (((r->position - r->base) & 3) != 0)
        return fail(r, CPIO_MISALIGNED, r->position);
    return CPIO_ENTRY;
}

static bool is_trailer(const struct cpio_entry *entry) {
    return entry->name_length == sizeof(CPIO_TRAILER_NAME) - 1 &&
           __builtin_memcmp(entry->name, CPIO_TRAILER_NAME, sizeof(CPIO_TRAILER_NAME) - 1) == 0;
}

enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *entry) {
    enum cpio_result result = find_header(r);
    if (result != CPIO_ENTRY)
        return result;
    if (!read_header(r))
        return bad_header(r);
#pragma GCC unroll 8
    for (unsigned int i = 0; i < CPIO_FIELD_PAIRS; i++)
        entry->pairs[i] = r->pairs[i];
    r->in_archive = true;

    uint64_t header = r->position, name_offset = header + CPIO_HEADER_SIZE;
    uint32_t name_size = entry->name_size, data_size = entry->data_size;
    const char *name = (const char *)r->buffer + name_offset;
    if (name_size > r->size - name_offset)
        return fail_part(r, CPIO_NAME_CUT, name_offset, name_size, NULL, 0);
    bool name_usable = name_size - 1 < CPIO_PATH_MAX; // not 0 either
    if (name_usable && name[name_size - 1] != '\0')
        return fail_part(r, CPIO_NAME_NO_NUL, name_offset, name_size, name, name_size);
    entry->name_length = 0;
    if (name_usable)
        scan_name(r, entry, name, name_size);

    uint64_t data_offset = r->base + align4(name_offset + name_size - r->base);
    if (data_offset > r->size)
        data_offset = r->size; // only padding is missing: fine where there are no data
    if (data_size > r->size - data_offset)
        return fail_part(r, CPIO_DATA_CUT, data_offset, data_size, name_usable ? name : NULL,
                         entry->name_length);
    uint64_t next = r->base + align4(data_offset + data_size - r->base);
    r->position = next < r->size ? next : r->size;
    if (!name_usable) {
        fail_part(r, CPIO_NAME_SIZE, header, name_size, NULL, 0);
        r->failed = false;
        return CPIO_SKIPPED;
    }

    entry->archive = r->archive;
    entry->index = r->index;
    entry->header = header;
    entry->data_offset = data_offset;
    entry->data = r->buffer + data_offset;
    entry->has_checksum = r->buffer[header + 5] == '2';
    if (!is_trailer(entry))
        return CPIO_ENTRY;
    r->in_archive = false;
    return CPIO_TRAILER;
}

// The sum of all bytes, modulo 2^32, which is what "crc" archives hold.
static uint32_t byte_sum(const uint8_t *data, uint64_t size) {
    uint32_t sum = 0;
    for (; size && ((uintptr_t)data & 7) != 0; size--)
        sum += *data++;
    while (size >= 8) {
        uint64_t lanes = 0, word; // four sums of 16 bits: 128 words of two bytes each fit
        for (unsigned int i = 0; i < 128 && size >= 8; i++, data += 8, size -= 8) {
            __builtin_memcpy(&word, __builtin_assume_aligned(data, 8), 8);
            lanes += (word & 0x00ff00ff00ff00ffull) + ((word >> 8) & 0x00ff00ff00ff00ffull);
        }
        sum += (uint32_t)((lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) + (lanes >> 48));
    }
    while (size--)
        sum += *data++;
    return sum;
}

bool cpio_verify(const struct cpio_entry *entry, struct cpio_error *error) {
    if (!entry->has_checksum || entry->data_size == 0 || (entry->mode & CPIO_IFMT) != CPIO_IFREG)
        return true;
    uint32_t sum = byte_sum(entry->data, entry->data_size);
    if (sum == entry->checksum)
        return true;
    *error = (struct cpio_error){.problem = CPIO_CHECKSUM,
                                 .archive = entry->archive,
                                 .entry = entry->index,
                                 .offset = entry->data_offset,
                                 .needs = entry->checksum,
                                 .remains = sum,
                                 .name = entry->name,
                                 .name_length = entry->name_length};
    return false;
}

static void add_entry(struct text *t, uint32_t archive, uint32_t index, const char *name,
                      size_t name_length) {
    if (archive > 1) {
        text_add(t, "archive ");
        text_add_number(t, archive);
        text_add(t, ", ");
    }
    text_add(t, "entry ");
    text_add_number(t, index);
    if (name) {
        text_add(t, " (");
        text_add_quoted(t, name, name_length < SHOWN_NAME_MAX ? name_length : SHOWN_NAME_MAX);
        text_add(t, name_length <= SHOWN_NAME_MAX ? ")" : "...)");
    }
}

size_t cpio_entry_text(uint32_t archive, uint32_t index, const char *name, size_t name_length, char *text,
                       size_t size) {
    struct text t;
    text_begin(&t, text, size);
    add_entry(&t, archive, index, name, name_length);
    return t.length;
}

static void add_cut(struct text *t, const char *part, const struct cpio_error *error) {
    text_add(t, part);
    text_add(t, error->needs == 1 ? " needs 1 byte, " : " needs ");
    if (error->needs != 1) {
        text_add_number(t, error->needs);
        text_add(t, " bytes, ");
    }
    text_add_number(t, error->remains);
    text_add(t, error->remains == 1 ? " remains" : " remain");
    text_add(t, "; archive truncated?");
}

static void add_offset(struct text *t, const struct cpio_error *error) {
    text_add(t, " at offset ");
    text_add_number(t, error->offset);
}

static void add_problem(struct text *t, const struct cpio_error *error) {
    switch (error->problem) {
    case CPIO_OK:
        text_add(t, "no error");
        break;
    case CPIO_MAGIC_UNKNOWN:
        text_add(t, "no cpio header");
        add_offset(t, error);
        text_add(t, "; newc (070701) or crc (070702) is needed");
        break;
    case CPIO_MAGIC_OTHER:
        text_add(t, error->found);
        if (error->found[0] == 'c') { // cpio in another format
            text_add(t, " format");
            add_offset(t, error);
            text_add(t, ": only newc and crc are read; make it with cpio -H newc");
        } else {
            text_add(t, ": not built in; compressed data");
            add_offset(t, error);
        }
        break;
    case CPIO_MISALIGNED:
        text_add(t, "broken padding: bytes");
        add_offset(t, error);
        text_add(t, ", which is no multiple of 4 from the archive's start");
        break;
    case CPIO_HEADER_CUT:
        add_cut(t, "header", error);
        break;
    case CPIO_NOT_HEX:
        text_add(t, error->field);
        text_add(t, " has a byte that is no hex digit");
        add_offset(t, error);
        break;
    case CPIO_NAME_CUT:
        add_cut(t, "name", error);
        break;
    case CPIO_NAME_NO_NUL:
        text_add(t, "name of ");
        text_add_number(t, error->needs);
        text_add(t, " bytes");
        add_offset(t, error);
        text_add(t, " does not end with NUL");
        break;
    case CPIO_DATA_CUT:
        add_cut(t, "data", error);
        break;
    case CPIO_NAME_SIZE:
        text_add(t, "name size is ");
        text_add_number(t, error->needs);
        text_add(t, ", 1 to 4096 is allowed; header");
        add_offset(t, error);
        break;
    case CPIO_CHECKSUM:
        text_add(t, "checksum is 0x");
        text_add_hex(t, error->needs);
        text_add(t, ", but the data");
        add_offset(t, error);
        text_add(t, " sum up to 0x");
        text_add_hex(t, error->remains);
        break;
    }
}

size_t cpio_error_text(const struct cpio_error *error, char *text, size_t size) {
    struct text t;
    text_begin(&t, text, size);
    add_entry(&t, error->archive, error->entry, error->name, error->name_length);
    text_add(&t, ": ");
    add_problem(&t, error);
    return t.length;
}
