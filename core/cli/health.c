/* `kanal health`: asks a running gateway whether it is ready: for container images, which have neither a shell nor curl. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/duration.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define DEFAULT_URL "http://127.0.0.1:9090/readyz"
#define DEFAULT_TIMEOUT_MS 5000
#define TIMEOUT_MAX_MS 3600000
#define ANSWER_BYTES 200 /* of the body: a reason in one line */

struct health {
    const char *url;
    int64_t timeout_ms;
    int json;
    long status;                 /* 0: no answer */
    char words[CURL_ERROR_SIZE]; /* what it answered, or why it did not */
};

struct answer {
    char text[ANSWER_BYTES + 1];
    size_t len;
};

/* The beginning is kept, the rest read and dropped; what could steer a terminal becomes a blank. */
static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct answer *answer = user;
    for (size_t i = 0; i < size * count && answer->len < ANSWER_BYTES; i++) {
        unsigned char byte = (unsigned char)data[i];
        answer->text[answer->len++] = byte < 0x20 || byte >= 0x7f ? ' ' : (char)byte;
    }
    return size * count;
}

static void set_options(CURL *curl, const struct health *h, char error[CURL_ERROR_SIZE],
                        struct answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_URL, h->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY,
                     ""); /* it is near: a proxy of the environment's is for the providers */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "kanal/" KANAL_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
}

/* Fills in status and words. */
static int ask(struct health *h)
{
    char error[CURL_ERROR_SIZE] = "";
    struct answer answer = { 0 };
    CURL *curl = curl_easy_init();
    CURLcode code = CURLE_FAILED_INIT;
    if (curl) {
        set_options(curl, h, error, &answer);
        code = curl_easy_perform(curl);
        if (code == CURLE_OK)
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &h->status);
        curl_easy_cleanup(curl);
    }
    while (answer.len > 0 && answer.text[answer.len - 1] == ' ')
        answer.text[--answer.len] = '\0';
    snprintf(h->words, sizeof h->words, "%s",
             code == CURLE_OK ? answer.text
             : *error         ? error
                              : curl_easy_strerror(code));
    if (code == CURLE_OPERATION_TIMEDOUT)
        return CLI_TIMEOUT;
    return h->status == 200 ? CLI_OK : CLI_FAILED;
}

static void print_json(const struct health *h, int code)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "ok", code == CLI_OK);
    kanal_json_member_text(&json, "url", h->url);
    kanal_json_member_int(&json, "status", h->status);
    kanal_json_member_text(&json, "answer", h->words);
    kanal_json_object_end(&json);
    printf("%.*s\n", (int)text.len, text.data ? text.data : "");
    kanal_buffer_release(&text);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "url", required_argument, NULL, 'u' },
                                             { "timeout", required_argument, NULL, 't' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    struct health h = { .url = DEFAULT_URL, .timeout_ms = DEFAULT_TIMEOUT_MS };
    for (int c; (c = getopt_long(argc, argv, "u:t:h", options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (c == 'u')
            h.url = optarg;
        else if (c == 't' && (config_duration_parse(kanal_str_c(optarg), &h.timeout_ms) != 0 ||
                              h.timeout_ms <= 0 || h.timeout_ms > TIMEOUT_MAX_MS))
            return cli_usage(command, "--timeout: expected a duration from 1ms to 1h such as 5s, found '%s'",
                             optarg);
        else if (c == 'j')
            h.json = 1;
        else if (c == '?')
            return cli_usage(command, "unknown option, or one without its value");
    }
    if (optind < argc)
        return cli_usage(command, "unexpected argument '%s'", argv[optind]);
    int code = ask(&h);
    if (h.json)
        print_json(&h, code);
    else if (code == CLI_OK)
        printf("%s: %s\n", h.url, h.words);
    else if (h.status > 0)
        fprintf(stderr, "kanal health: %s: %ld: %s\n", h.url, h.status, h.words);
    else
        fprintf(stderr, "kanal health: %s: %s\n", h.url, h.words);
    return code;
}

const struct cli_command command_health = {
    .name = "health",
    .arguments = "[--url URL] [--timeout DURATION] [--json]",
    .summary = "Asks a running gateway whether it is ready.",
    .help =
        "  -u, --url URL            what to ask (" DEFAULT_URL "): /readyz or /livez of its admin listener\n"
        "  -t, --timeout DURATION   how long to wait for the answer (5s)\n"
        "      --json               one JSON object on stdout: ok, url, status (0: no answer), answer\n\n"
        "Exit code 0: it answered 200; 1: another answer, or none; 5: no answer in time. The reason is on "
        "stderr.\n"
        "Made for health checks of containers: HEALTHCHECK CMD [\"kanal\", \"health\"]\n",
    .run = run,
};
