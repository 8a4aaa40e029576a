#include <curl/curl.h>
#include <getopt.h>
#include <microhttpd.h>
#include <nats/nats.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>
#include <yyjson.h>

#include "cli/cli.h"
#include "kanal/plugin.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    int json = 0;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (c != 'j')
            return cli_usage(command, "unknown option");
        json = 1;
    }
#define VERSIONS                                                                                             \
    KANAL_VERSION, KANAL_ABI_MAJOR, KANAL_ABI_MINOR, nats_GetVersion(),                                      \
        curl_version_info(CURLVERSION_NOW)->version, MHD_get_version(), uv_version_string(),                 \
        OpenSSL_version(OPENSSL_VERSION_STRING), YYJSON_VERSION_STRING
    if (json)
        printf("{\"version\":\"%s\",\"abi\":\"%u.%u\",\"libraries\":{\"cnats\":\"%s\",\"libcurl\":\"%s\","
               "\"libmicrohttpd\":\"%s\",\"libuv\":\"%s\",\"openssl\":\"%s\",\"yyjson\":\"%s\"}}\n",
               VERSIONS);
    else
        printf("kanal %s (plugin ABI %u.%u)\ncnats %s, libcurl %s, libmicrohttpd %s, libuv %s, OpenSSL %s, "
               "yyjson %s\n",
               VERSIONS);
    return CLI_OK;
}

const struct cli_command command_version = {
    .name = "version",
    .arguments = "[--json]",
    .summary = "Prints the versions of kanal, its plugin ABI and its libraries.",
    .help = "  --json   one JSON object\n",
    .run = run,
};
