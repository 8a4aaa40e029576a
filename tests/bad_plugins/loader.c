/* One plugin that is right, and a defect that -D names: what the loader must refuse, each with its own words. */
#include "kanal/plugin.h"

#ifdef NO_CREATE
#define CREATE NULL
#else
#define CREATE create
static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    (void)host;
    (void)config;
    return NULL;
}
#endif

static void answer(kanal_channel *channel, kanal_op op)
{
    (void)channel;
    (void)op;
}

#if defined ROUTE_WITHOUT_SECRET || defined ROUTE_ALGORITHM
static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)channel;
    (void)op;
    (void)request;
}
#endif

static void destroy(kanal_channel *channel)
{
    (void)channel;
}

#ifdef UNRESOLVED
extern void nobody_defines_this(kanal_channel *channel, kanal_op op);
#define START nobody_defines_this
#else
#define START answer
#endif

#ifdef ROUTE_WITHOUT_SECRET
static const kanal_route routes[] = { { .method = "POST",
                                        .path = "/",
                                        .algorithm = "equal",
                                        .name = "x-token",
                                        .secret = "token",
                                        .where = KANAL_IN_HEADER } };
#endif
#ifdef ROUTE_ALGORITHM
static const kanal_secret secrets[] = { { "token", "a token", 0 } };
static const kanal_route routes[] = { { .method = "POST",
                                        .path = "/",
                                        .algorithm = "md5",
                                        .name = "x-token",
                                        .secret = "token",
                                        .where = KANAL_IN_HEADER } };
#endif

static const kanal_plugin plugin = {
#ifdef SHORT_STRUCT
    .struct_size = 64,
#else
    .struct_size = sizeof plugin,
#endif
    .abi_minor = KANAL_ABI_MINOR,
#ifdef BAD_ID
    .id = "Bad Id",
#else
    .id = "bad",
#endif
    .name = "Bad",
    .version = "1.0.0",
#ifdef BROKEN_SCHEMA
    .settings_schema = "{\"type\":\"object\",\"propperties\":{}}",
#else
    .settings_schema = "{\"type\":\"object\"}",
#endif
#if defined ROUTE_WITHOUT_SECRET || defined ROUTE_ALGORITHM
    .routes = routes,
    .route_count = 1,
    .on_http = on_http,
#endif
#ifdef ROUTE_ALGORITHM
    .secrets = secrets,
    .secret_count = 1,
#endif
    .create = CREATE,
    .destroy = destroy,
    .start = START,
    .stop = answer,
};

#if defined NO_SYMBOL
KANAL_EXPORT const kanal_plugin *some_other_function(void);
const kanal_plugin *some_other_function(void)
{
    return &plugin;
}
#elif defined OTHER_MAJOR
KANAL_EXPORT const kanal_plugin *kanal_plugin_v2(void);
const kanal_plugin *kanal_plugin_v2(void)
{
    return &plugin;
}
#else
const kanal_plugin *kanal_plugin_v1(void)
{
#ifdef NULL_DESCRIPTOR
    (void)plugin;
    return NULL;
#else
    return &plugin;
#endif
}
#endif
