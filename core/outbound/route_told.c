/* What is told of a step: by the lane that tried it, or by a receipt long after. */
#include "host/host.h"
#include "outbound/cancel.h"
#include "outbound/route.h"

static void write_error(struct kanal_buffer *out, const struct report *report)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    report_error(&json, report);
}

void route_step_failed(struct job *job, published_fn *done)
{
    struct kanal_buffer error = { 0 };
    write_error(&error, &job->report);
    struct schedule_step step = { .step = job->step,
                                  .reason = ROUTE_FAILED,
                                  .error = kanal_buffer_view(&error) };
    schedule_route(job->shard->outbound, job->message_key.text + 2, &step, done, job);
    kanal_buffer_release(&error);
}

static int is_abandoned(void *user, kanal_str step_key)
{
    const struct outbound *o = user;
    char key[ID_LEN + 1];
    return kanal_str_keep(key, sizeof key, step_key).len == ID_LEN - 2 && cancels_have(o->cancels, key);
}

static void on_failed(void *user, kanal_str route, uint32_t step, kanal_str error, published_fn *done,
                      void *done_user)
{
    char key[ID_LEN + 1];
    struct schedule_step failed = { .step = step, .reason = ROUTE_FAILED, .error = error };
    kanal_str_keep(key, sizeof key, route);
    schedule_route(user, key, &failed, done, done_user);
}

void route_listen(struct outbound *o)
{
    o->host->routes = (struct host_routes){ is_abandoned, on_failed, o };
}
