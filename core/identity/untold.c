/* Records whose event nobody has confirmed: the gateway that wrote them may have been killed in between. */
#include <stdlib.h>

#include "identity/identity.h"
#include "identity/inside.h"
#include "kanal/sdk/str.h"

#define UNTOLD_MS 10000u /* for whoever made the change to tell it */
#define UNTOLD_MAX 4096u /* as many are hardly under way at once; more are found at the next start */

struct untold {
    struct untold *next;
    struct id id;
    uint64_t since_ms; /* 0: it stood there before this gateway did, and has had its time */
};

void untold_add(struct identity *identity, kanal_str key)
{
    size_t count = 0;
    for (const struct untold *u = identity->untold; u; u = u->next, count++)
        if (kanal_str_is(key, u->id.text))
            return;
    struct untold *untold = count < UNTOLD_MAX ? malloc(sizeof *untold) : NULL;
    if (!untold)
        return;
    kanal_str_keep(untold->id.text, sizeof untold->id.text, key);
    untold->since_ms = identity->is_ready ? uv_now(identity->host->loop) : 0;
    untold->next = identity->untold;
    identity->untold = untold;
}

void untold_remove(struct identity *identity, kanal_str key)
{
    struct untold **place = &identity->untold;
    while (*place && !kanal_str_is(key, (*place)->id.text))
        place = &(*place)->next;
    struct untold *untold = *place;
    if (!untold)
        return;
    *place = untold->next;
    free(untold);
}

static void on_told(void *user, const struct identity_outcome *outcome)
{
    struct identity *identity = user;
    identity->is_telling = 0;
    if (outcome->status == KANAL_OK)
        untold_sweep(identity);
}

void untold_sweep(struct identity *identity)
{
    uint64_t now_ms = uv_now(identity->host->loop);
    struct untold *oldest = identity->untold;
    if (!identity->is_ready || identity->is_telling || !oldest)
        return;
    for (struct untold *u = identity->untold; u; u = u->next)
        if (u->since_ms <= oldest->since_ms)
            oldest = u;
    if (oldest->since_ms != 0 && now_ms < oldest->since_ms + UNTOLD_MS)
        return;
    identity->is_telling = 1;
    oldest->since_ms = now_ms; /* the mark comes by the watch; if it does not, again later */
    change_tell(identity, &oldest->id, on_told, identity);
}

void untold_free(struct identity *identity)
{
    while (identity->untold) {
        struct untold *next = identity->untold->next;
        free(identity->untold);
        identity->untold = next;
    }
}
