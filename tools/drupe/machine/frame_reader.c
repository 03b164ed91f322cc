// SPDX-License-Identifier: MIT
#include "machine/frame_reader.h"

static enum frame_result whole(struct frame_reader *r) {
    if (r->have < r->length)
        return FRAME_GOES_ON;
    r->groups = 0;
    return FRAME_IS_WHOLE;
}

enum frame_result frame_read(struct frame_reader *r, uint8_t byte) {
    unsigned int group = byte & 0x7f;
    if (group == byte)
        return FRAME_IS_TEXT;
    switch (r->groups++) {
    case 0:
        r->type = (int)group;
        return FRAME_GOES_ON;
    case 1:
        r->length = group;
        return FRAME_GOES_ON;
    case 2:
        r->length |= group << 7;
        r->bits = r->bit_count = 0;
        r->have = 0;
        if (r->length <= sizeof(r->content))
            return whole(r);
        r->groups = 0;
        return FRAME_IS_BAD;
    default:
        r->bits |= group << r->bit_count;
        r->bit_count += 7;
        if (r->bit_count >= 8) {
            r->content[r->have++] = (uint8_t)r->bits;
            r->bits >>= 8;
            r->bit_count -= 8;
        }
        return whole(r);
    }
}
