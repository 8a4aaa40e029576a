/* Outlets: what a channel delivers at once, how fast, and who is next. */
#include "outbound/job.h"

/* Deliveries of one channel under way at once: as many as the HTTP client opens connections to one host. What is beyond waits here, where its
 * deadline does not run yet and it costs nothing; in libcurl each waiting request is walked over whenever another ends. */
#define CHANNEL_PARALLEL 64u
#define LIVE_IN_ROW 8u         /* then one of bulk, if there is one: a flood of live must not starve it */
#define SLOWEST_PER_SECOND 0.2 /* however often the provider complains */
#define SLOW_PER_SECOND 5.0 /* who sends less than this is not too fast: a pause is all that can be meant */
#define RECOVERY_MS 1000    /* without a complaint: a tenth and one a second faster */
#define FORGIVEN_PER_SECOND 10e3 /* a rate nobody asked for that has recovered this far is forgotten */

/* The operator's word, else the plugin's. */
static double asked_rate(const struct channel *channel)
{
    const kanal_limits *limits = channel->plugin->descriptor.limits;
    if (channel->config->rate_per_second > 0)
        return channel->config->rate_per_second;
    return limits && KANAL_HAS(limits, per_second) ? limits->per_second : 0;
}

struct outlet *outlet_get(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    if (outlet || !(outlet = calloc(1, sizeof *outlet)))
        return outlet;
    for (int i = 0; i < LANE_CLASSES; i++)
        outlet->ready[i].last = &outlet->ready[i].first;
    int64_t now = (int64_t)uv_now(channel->host->loop);
    outlet->asked_per_second = asked_rate(channel);
    outlet->second_ms = now;
    rate_init(&outlet->rate, outlet->asked_per_second, outlet->asked_per_second, now);
    return channel->outlet = outlet;
}

static void push(struct outlet *outlet, struct job *job)
{
    struct outlet_queue *queue = &outlet->ready[job->class];
    job->state = JOB_READY;
    job->next_ready = NULL;
    *queue->last = job;
    queue->last = &job->next_ready;
}

static struct job *pop(struct outlet *outlet)
{
    int bulk = !outlet->ready[LANE_LIVE].first ||
               (outlet->ready[LANE_BULK].first && outlet->live_in_row >= LIVE_IN_ROW);
    struct outlet_queue *queue = &outlet->ready[bulk ? LANE_BULK : LANE_LIVE];
    struct job *job = queue->first;
    if (!job)
        return NULL;
    outlet->live_in_row = bulk ? 0 : outlet->live_in_row + 1;
    queue->first = job->next_ready;
    if (!queue->first)
        queue->last = &queue->first;
    return job;
}

void outlet_forget(struct job *job)
{
    struct outlet_queue *queue = &job->channel->outlet->ready[job->class];
    struct job **link = &queue->first;
    while (*link && *link != job)
        link = &(*link)->next_ready;
    if (!*link)
        return;
    *link = job->next_ready;
    if (!*link)
        queue->last = link;
}

/* 1: one more may go, and it has been taken off the rate. */
static int take_turn(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    return outlet->delivering < CHANNEL_PARALLEL &&
           rate_take(&outlet->rate, (int64_t)uv_now(channel->host->loop));
}

/* It has its turn, and gives it back if it does not use it. */
static void enter(struct outlet *outlet, struct job *job)
{
    outlet->delivering++;
    outlet->sent++;
    job->state = JOB_QUEUED;
    if (job_enter(job))
        return;
    outlet->delivering--;
    outlet->sent--;
    outlet->rate.tokens += 1;
}

void outlet_enter(struct job *job)
{
    struct outlet *outlet = job->channel->outlet;
    if (outlet->ready[LANE_LIVE].first || outlet->ready[LANE_BULK].first || !take_turn(job->channel))
        push(outlet, job);
    else
        enter(outlet, job);
}

/* One that cannot go waits for a time, not here: this ends. */
static void let_in(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    while ((outlet->ready[LANE_LIVE].first || outlet->ready[LANE_BULK].first) && take_turn(channel))
        enter(outlet, pop(outlet));
}

void outlet_move(struct channel *from, struct channel *to)
{
    struct outlet *outlet = from->outlet;
    from->outlet = NULL;
    to->outlet = outlet;
    double asked = asked_rate(to);
    if (!outlet || asked == outlet->asked_per_second)
        return;
    outlet->asked_per_second = asked;
    rate_init(&outlet->rate, asked, asked, (int64_t)uv_now(to->host->loop));
}

void outlet_leave(struct channel *channel)
{
    channel->outlet->delivering--;
    let_in(channel);
}

void outlet_slow_down(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    int64_t now = (int64_t)uv_now(channel->host->loop);
    if (now - outlet->refused_ms < RECOVERY_MS)
        return; /* the other answers to what left together */
    double base = outlet->rate.per_second > 0 ? outlet->rate.per_second : outlet->sent_per_second;
    if (base < SLOW_PER_SECOND)
        return;
    double slower = base / 2 > SLOWEST_PER_SECOND ? base / 2 : SLOWEST_PER_SECOND;
    rate_init(&outlet->rate, slower, slower, now);
    outlet->rate.tokens = 0;
    outlet->refused_ms = now;
}

/* Once a second: how fast it went, and faster if nobody complained. */
static void recover(struct outlet *outlet, int64_t now)
{
    outlet->sent_per_second = outlet->sent * 1000.0 / (double)(now - outlet->second_ms);
    outlet->sent = 0;
    outlet->second_ms = now;
    double rate = outlet->rate.per_second, asked = outlet->asked_per_second;
    if (rate <= 0 || rate == asked || now - outlet->refused_ms < RECOVERY_MS)
        return;
    rate = rate * 1.1 + 1;
    if (asked > 0 && rate > asked)
        rate = asked;
    else if (asked == 0 && rate > FORGIVEN_PER_SECOND)
        rate = 0;
    outlet->rate.per_second = rate;
    outlet->rate.burst = rate < 1 ? 1 : rate;
}

void outlet_tick(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    int64_t now = (int64_t)uv_now(channel->host->loop);
    if (!outlet)
        return;
    if (now - outlet->second_ms >= 1000)
        recover(outlet, now);
    let_in(channel);
}
