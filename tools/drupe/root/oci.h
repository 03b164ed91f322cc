// SPDX-License-Identifier: MIT
// OCI images (image-spec 1.1: image-layout, index, manifest, config, layers) and what `docker save` and `podman save` write.
// Whatever the image says is looked for in the image and nowhere else, and what has a digest is held against it.
#pragma once
#include <stdbool.h>
#include "root/cache.h"
#include "root/layers.h"

// Where an image's parts are.
struct oci_store {
    const char *name;      // for messages
    struct layers *outer;  // the tar that it came as; NULL:
    const char *directory; // it is one
};

bool oci_is_image(struct oci_store *s);
// The image for riscv64 laid over empty layers, and what it says of how it is run. Ends the command, saying why, where there
// is none, more than one, or a part is missing or damaged. *attributed counts entries whose extended attributes are left out.
void oci_read(struct oci_store *s, struct layers *out, struct root_config *config, uint64_t *attributed);
