// SPDX-License-Identifier: MIT
// Takes what comes over the serial line apart: frames of the init (tools/guest/frames.h), and text.
#pragma once
#include <stddef.h>
#include "tools/guest/frames.h"

enum frame_result {
    FRAME_IS_TEXT, // the byte belongs to no frame
    FRAME_GOES_ON,
    FRAME_IS_WHOLE, // type, content and length are there, until the next byte
    FRAME_IS_BAD,   // too long: the line is out of step
};

struct frame_reader {
    int type;
    size_t length; // of the content
    uint8_t content[FRAME_MAX];
    // Of the frame that is being read:
    unsigned int groups; // that have come: type and length are three
    unsigned int bits, bit_count;
    size_t have; // bytes of content
};

enum frame_result frame_read(struct frame_reader *r, uint8_t byte);
