/* json/suggest.c - optimal string alignment distance, by rows. */
#include <string.h>
#include "suggest.h"

#define LONGEST 64u

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t json_edit_distance(kanal_str a, kanal_str b)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    if (a.len > LONGEST || b.len > LONGEST)
        return SIZE_MAX;
    memset(rows, 0, sizeof rows);
    for (size_t j = 0; j <= b.len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *swap = before;
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]), y = lower(b.ptr[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && lower(a.ptr[i - 2]) == y)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = swap;
    }
    return above[b.len];
}

void json_suggest(struct json_suggestion *suggestion, kanal_str candidate)
{
    size_t distance = json_edit_distance(suggestion->word, candidate);
    /* A third of the letters may be wrong: more is another word. */
    size_t allowed = (suggestion->word.len + 2) / 3;

    if (distance > allowed || distance >= candidate.len)
        return;
    if (suggestion->best.ptr && suggestion->distance <= distance)
        return;
    suggestion->best = candidate;
    suggestion->distance = distance;
}
