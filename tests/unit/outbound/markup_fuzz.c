/* Texts in both dialects: cut anywhere, in every dialect. The first byte: the dialects; the second: the limit. */
#include <stdlib.h>

#include "outbound/adapt/grapheme.h"
#include "outbound/adapt/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct checking {
    struct split_limits limits;
    size_t pieces;
};

static int check_piece(void *user, kanal_str piece)
{
    struct checking *c = user;
    if (piece.len == 0 || !split_fits(&c->limits, grapheme_count_points(piece), piece.len))
        abort();
    return c->pieces++ > 500;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct checking checking = { .limits = { .chars = data[1] } };
    struct rich rich = { 0 }, flat = { 0 };
    rich_read(&rich, kanal_str_of((const char *)data + 2, size - 2), (enum markup)(data[0] % 3));
    split_rich(&rich, (enum markup)(data[0] / 3 % 3), &checking.limits, check_piece, &checking);
    rich_flatten(&rich, &flat);
    if (flat.text.len < rich.text.len)
        abort();
    rich_release(&rich);
    rich_release(&flat);
    return 0;
}
