#include "host/table.h"

#include <string.h>

#include "host/services/services.h"

static const void *table_extension(const kanal_host *host, const char *id)
{
    (void)host;
    if (!id)
        return NULL;
    if (strcmp(id, KANAL_EXT_BLOB) == 0)
        return extension_blob();
    if (strcmp(id, KANAL_EXT_WEBSOCKET) == 0)
        return extension_websocket();
    if (strcmp(id, KANAL_EXT_BLOB_2) == 0)
        return extension_blob2();
    if (strcmp(id, KANAL_EXT_STREAM) == 0)
        return extension_stream();
    if (strcmp(id, KANAL_EXT_TRANSFER) == 0)
        return extension_transfer();
    if (strcmp(id, KANAL_EXT_LEASE) == 0)
        return extension_lease();
    if (strcmp(id, KANAL_EXT_LINK) == 0)
        return extension_link();
    return NULL;
}

void table_init(kanal_host *table, void *impl)
{
    *table = (kanal_host){
        .struct_size = sizeof *table,
        .abi_minor = KANAL_ABI_MINOR,
        .impl = impl,
        .log = service_log,
        .wake = service_wake,
        .now_ms = service_now_ms,
        .random = service_random,
        .metric_add = service_metric_add,
        .health = service_health,
        .cancel = service_cancel,
        .timer = service_timer,
        .verify = service_verify,
        .sign = service_sign,
        .state_get = service_state_get,
        .state_put = service_state_put,
        .http_send = service_http_send,
        .publish = service_publish,
        .finish = table_finish,
        .delivered = table_delivered,
        .respond = table_respond,
        .locate = table_locate,
        .extension = table_extension,
    };
}

/* After stop() was finished nothing is owed any more: each slot that returns an op returns 0. */

static kanal_op no_timer(const kanal_host *h, uint32_t ms, kanal_done_fn *fn, void *user)
{
    (void)h, (void)ms, (void)fn, (void)user;
    return 0;
}

static kanal_op no_verify(const kanal_host *h, kanal_str a, kanal_str b, kanal_str c, kanal_str d,
                          kanal_done_fn *fn, void *user)
{
    (void)h, (void)a, (void)b, (void)c, (void)d, (void)fn, (void)user;
    return 0;
}

static kanal_op no_sign(const kanal_host *h, kanal_str a, kanal_str b, kanal_str c, kanal_value_fn *fn,
                        void *user)
{
    (void)h, (void)a, (void)b, (void)c, (void)fn, (void)user;
    return 0;
}

static kanal_op no_get(const kanal_host *h, kanal_str key, kanal_value_fn *fn, void *user)
{
    (void)h, (void)key, (void)fn, (void)user;
    return 0;
}

static kanal_op no_put(const kanal_host *h, kanal_str key, kanal_str value, uint64_t revision,
                       kanal_value_fn *fn, void *user)
{
    (void)h, (void)key, (void)value, (void)revision, (void)fn, (void)user;
    return 0;
}

static kanal_op no_send(const kanal_host *h, kanal_op cause, const kanal_http_request *r,
                        kanal_response_fn *fn, void *user)
{
    (void)h, (void)cause, (void)r, (void)fn, (void)user;
    return 0;
}

static kanal_op no_publish(const kanal_host *h, kanal_op cause, const kanal_event *const *e, size_t n,
                           kanal_done_fn *fn, void *user)
{
    (void)h, (void)cause, (void)e, (void)n, (void)fn, (void)user;
    return 0;
}

void table_close(kanal_host *table)
{
    table->timer = no_timer;
    table->verify = no_verify;
    table->sign = no_sign;
    table->state_get = no_get;
    table->state_put = no_put;
    table->http_send = no_send;
    table->publish = no_publish;
}
