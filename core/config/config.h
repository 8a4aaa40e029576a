/* config/config.h - kanal.yaml: read, checked whole, and made into structs.
 *
 * YAML (libyaml) → a JSON tree with the line and column of every node → the schema of kanal.yaml (config/kanal-config.schema.json,
 * compiled in) → these structs. All errors are told at once, each with file:line:column, what was expected and what was found.
 * ${env:NAME} and ${file:PATH} (last newline cut) are expanded in scalars only where the schema says so (secrets, salt, the broker's
 * URLs and credentials), once, and never recursively; "$${" is a literal "${". No anchors, aliases, tags, several documents, duplicate
 * keys. At most 8 MiB and 32 levels. Secrets never stand in messages. docs/configuration.md has every key.
 * Plugins are loaded by the caller: it checks each channel's settings with config_check_settings(). */
#ifndef KANAL_CONFIG_CONFIG_H
#define KANAL_CONFIG_CONFIG_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "../event/identifier.h"
#include "../http/server.h"
#include "../json/schema.h"

struct config_secret {
    const char *name;
    const char *origin; /* "env:TELEGRAM_TOKEN", "file:/run/secrets/tg", "literal" */
    kanal_str value;
};

enum config_log { CONFIG_LOG_FAILED, CONFIG_LOG_ALL, CONFIG_LOG_OFF };

struct config_channel {
    const char *id, *plugin;
    kanal_str
        settings; /* JSON text as written ("{}" if absent); with defaults after config_check_settings() */
    const struct config_secret *secrets;
    size_t secret_count;
    const char *const *
        egress; /* NULL-ended hosts, "host:port", or CIDRs for private addresses; NULL: what the plugin asks for */
    const char *const *stop_words, *const *start_words; /* NULL-ended; NULL: those of routing */
    int worker_own;                                     /* worker: own */
    int spool;                                          /* when_broker_down: spool */
    int64_t raw_ms;                                     /* keep raw payloads for; 0: no */
    double rate_per_second, rate_per_recipient_second;  /* 0: the plugin's limits */
    int on_unknown;                                     /* 0 retry, 1 fail, 2 ask */
    enum config_log log;                                /* traces of which messages are kept */
    int media_keep;                                     /* media: keep; else proxy */
    kanal_str
        fingerprint; /* HMAC-SHA-256 (hex) under the salt over plugin, settings, names and values of secrets: changes when
                                   * the channel does, equal on all replicas; keyed, so that it tells nothing of the secrets */
    uint32_t position; /* index in the file, for config_check_settings() */
};

enum config_cgroup { CONFIG_CGROUP_AUTO, CONFIG_CGROUP_OFF, CONFIG_CGROUP_REQUIRED };

struct config_plugin {
    const char *id;
    int in_process;       /* isolation: none */
    int threads;          /* its worker may start threads */
    int64_t memory_bytes; /* 0: default */
    uint32_t cpu_percent; /* of one processor; 0: default */
    int64_t deadline_ms;  /* of a callback in a worker, then it is killed; 0: default */
};

struct config {
    struct {
        const char *const *urls; /* NULL-ended; empty: embedded */
        size_t url_count;
        const char *creds, *nkey_seed, *user, *password, *token, *tls_ca, *tls_cert, *tls_key;
        int replicas;       /* 1 */
        const char *prefix; /* "kanal": [a-z][a-z0-9_-]{0,31} */
        int64_t duplicate_window_ms;
    } broker;
    struct {
        const char *listen;     /* "127.0.0.1:8080" */
        const char *public_url; /* without a trailing slash, or NULL */
        const kanal_str *trusted_proxies;
        size_t trusted_proxy_count;
        struct http_limits limits;
        uint32_t body_bytes; /* operator's limit for any body: 16 MiB */
    } http;
    struct {
        const char *listen; /* "127.0.0.1:9090" */
    } admin;
    struct {
        const char *ca; /* file of authorities beside the system's, or NULL */
    } outgoing;
    const char *data_dir; /* "/var/lib/kanal" */
    struct {
        int64_t bytes;   /* 512 MiB */
        uint32_t events; /* 1,000,000 */
    } spool;
    struct {
        kanal_str salt; /* at least 16 bytes; required */
        const char *default_region;
        struct identifier_rules mail;
        const char *const *trust; /* NULL-ended plugin ids */
    } identity;
    struct {
        int64_t events_ms, activity_ms, raw_ms, dead_ms, media_ms, facts_ms, log_ms,
            handoffs_ms; /* 0: for ever */
    } retention;
    struct {
        int is_enabled; /* this gateway may be the projector */
    } projector;
    struct {
        const char *timezone;
        const char *const *require_consent, *const *stop_words, *const *start_words; /* NULL-ended */
    } routing;
    struct {
        const char *level, *format; /* "info", "json" */
    } log;
    struct {
        const char *seal_key; /* a file, or NULL: channels with secrets cannot be added at run time */
        const char *const *old_seal_keys; /* NULL-ended files: what was sealed with these is still read */
    } runtime;
    const char *const *plugin_path; /* NULL-ended directories */
    int sandbox_required;           /* plugins.sandbox: required; else what the kernel has */
    enum config_cgroup cgroup;      /* plugins.cgroup; of a path: required */
    const char *cgroup_path; /* the delegated group's, as /proc/PID/cgroup has it; NULL: the gateway's own */
    const struct config_plugin *plugins;
    size_t plugin_count;
    struct config_channel *channels;
    size_t channel_count;
    struct config_impl *impl; /* arena, tree, positions */
};

/* One thing that is wrong. text: "kanal.yaml:12:9: channels[0].rate.per_second: expected a number above 0, found \"fast\"". */
typedef void config_error_fn(void *user, kanal_str text);

/* 0, or KANAL_E_INVALID after error() ran for everything that is wrong; KANAL_E_NOT_FOUND: the file cannot be read (error() says
 * so too). path "-" is standard input. */
int config_load(struct config **ret_config, const char *path, config_error_fn *, void *user);
/* The same for other processes that look for the gateway's broker (`kanal tail`): only `broker` and `data_dir` are looked at, so the
 * channels' secrets, which are perhaps not there for this user, are neither read nor missed. Nothing else of the struct counts. */
int config_load_broker(struct config **ret_config, const char *path, config_error_fn *, void *user);
/* One channel that came at run time: a JSON object like an item of `channels`. Nothing is expanded: whoever may add a channel may not
 * read this machine's files and environment. base: whose salt the fingerprint is made with. The result's only channel is
 * channels[0]; errors carry no positions. 0 or KANAL_E_INVALID. */
int config_load_channel(struct config **ret_config, const struct config *base, kanal_str channel,
                        config_error_fn *, void *user);
/* A file with one channel, like an item of `channels`, for a process that hands it to a gateway: expanded here, with this user's rights.
 * As config_load(). */
int config_load_channel_file(struct config **ret_config, const char *path, config_error_fn *, void *user);
/* Appends the channel as JSON, with its secrets and all defaults. KANAL_E_INTERNAL: no memory. */
int config_channel_json(const struct config *, const struct config_channel *, struct kanal_buffer *out);
void config_free(struct config *); /* wipes secrets */

/* 1: both are configured alike, to the last member. Each with the configuration that it is of. */
int config_channel_same(const struct config *, const struct config_channel *, const struct config *other,
                        const struct config_channel *of_other);
/* Tells every section but `channels` that differs. */
typedef void config_section_fn(void *user, kanal_str section);
void config_differences(const struct config *, const struct config *other, config_section_fn *, void *user);

/* Says something of a channel in the same form, with its place: "kanal.yaml:12:5: channels[0].plugin: there is no plugin 'x'". key: a
 * member of the channel, or NULL. */
void config_tell(const struct config *, const struct config_channel *, const char *key, kanal_str words,
                 config_error_fn *, void *user);

/* Validates a channel's settings by its plugin's schema and fills in defaults; checks that required secrets are there and that no
 * unknown one is. Errors carry positions of the file. 0 or KANAL_E_INVALID. */
int config_check_settings(struct config *, struct config_channel *, const kanal_plugin *, config_error_fn *,
                          void *user);

#endif
