#include "area.h"

#include <unistd.h>

static struct area_piece *piece_of(struct area *area, unsigned number)
{
    return &area->pieces[(area->first + number) % AREA_PIECES_MOST];
}

/* Where so much is free behind the newest piece, or before the oldest. 1 or 0. */
static int find_room(struct area *area, uint32_t bytes, uint32_t *ret_at)
{
    if (area->count == 0) {
        *ret_at = 0;
        return bytes <= area->bytes;
    }
    const struct area_piece *oldest = piece_of(area, 0), *newest = piece_of(area, area->count - 1);
    uint32_t end = newest->at + newest->bytes;
    int is_around = newest->at < oldest->at;
    *ret_at = end;
    if ((is_around ? oldest->at : area->bytes) - end >= bytes)
        return 1;
    *ret_at = 0;
    return !is_around && oldest->at >= bytes;
}

int area_take(struct area *area, size_t bytes, uint32_t *ret_at)
{
    uint32_t at;
    if (bytes == 0 || bytes > area->bytes || area->count == AREA_PIECES_MOST)
        return -1;
    uint32_t rounded = ((uint32_t)bytes + AREA_PAGE_BYTES - 1) / AREA_PAGE_BYTES * AREA_PAGE_BYTES;
    if (!find_room(area, rounded, &at))
        return -1;
    *piece_of(area, area->count++) = (struct area_piece){ at, rounded, 0 };
    *ret_at = at;
    return 0;
}

/* By writev(), not into a mapping: it neither clears the pages first nor faults at each, and they are nobody's resident memory. */
int area_put(struct area *area, const struct iovec *parts, int count, size_t bytes, uint32_t *ret_at)
{
    uint32_t at, unused;
    if (area_take(area, bytes, &at) != 0)
        return -1;
    if (lseek(area->fd, at, SEEK_SET) < 0 || writev(area->fd, parts, count) != (ssize_t)bytes) {
        area_give_back(area, at, &unused); /* the machine has no memory for it */
        return -1;
    }
    *ret_at = at;
    return 0;
}

int area_give_back(struct area *area, uint32_t at, uint32_t *ret_bytes)
{
    struct area_piece *piece = NULL;
    for (unsigned i = 0; i < area->count && !piece; i++)
        if (piece_of(area, i)->at == at && !piece_of(area, i)->is_back)
            piece = piece_of(area, i);
    if (!piece)
        return -1;
    *ret_bytes = piece->bytes;
    piece->is_back = 1;
    while (area->count > 0 && piece_of(area, 0)->is_back) {
        area->first = (area->first + 1) % AREA_PIECES_MOST;
        area->count--;
    }
    return 0;
}
