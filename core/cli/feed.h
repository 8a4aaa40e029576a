/* cli/feed.h - events as they come: live by plain subscriptions, or from the streams by consumers of our own, first what is stored and
 * then what comes, without a gap.
 *
 * A source is one filter. A stream's source is a pull consumer without acknowledgements that the server forgets when nobody asks it
 * any more; one filter each, because servers before 2.10 silently ignore several. After a reconnect it is made anew behind the last
 * event handed over, so nothing is lost or told twice; a plain subscription misses what came meanwhile. What is stored is handed over
 * in the order of time over all sources. One thread uses a feed. */
#ifndef KANAL_CLI_FEED_H
#define KANAL_CLI_FEED_H
#include "cli/connect.h"
#include "cli/filter.h"

#define FEED_SOURCES 64u
#define FEED_SINCE_NOW INT64_MAX /* plain subscriptions: stored events are not read */

struct feed_source {
    kanal_str filter; /* checked by filter_check() */
    enum filter_branch branch;
};

struct feed_options {
    const struct feed_source *sources;
    size_t source_count;
    int64_t since_ms; /* Unix time, 0: all that is stored, or FEED_SINCE_NOW */
    int stored_only;  /* ends with what is stored */
};

struct feed;
/* CLI_OK: live subscriptions are known to the server when it returns. Else reason (API_REASON bytes), and the exit code. */
int feed_new(struct feed **ret_feed, struct client *, const struct feed_options *, char *reason);
void feed_free(struct feed *); /* before client_close(); NULL is fine */

enum feed_result {
    FEED_EVENT,
    FEED_TIMEOUT,
    FEED_INTERRUPTED,
    FEED_DONE,   /* stored_only, and that was all */
    FEED_NOTICE, /* text: something to be said to the person, who then waits on */
    FEED_FAILED  /* text says why it is over */
};
/* until_ms: client_now_ms() that ends the waiting, or INT64_MAX. subject and payload (FEED_EVENT) and text live until the next call. */
struct feed_item {
    kanal_str subject, payload;
    char text[512]; /* at least 256, for client_take_violation() */
};
enum feed_result feed_next(struct feed *, int64_t until_ms, struct feed_item *ret_item);
/* True if the next event is there already: output need not be flushed. */
int feed_has_more(struct feed *);

#endif
