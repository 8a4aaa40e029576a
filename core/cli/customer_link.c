/* `kanal customer link` and `unlink`: says that two addresses are one person, or that they are not. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/customer_link.h"
#include "cli/request.h"
#include "kanal/sdk/json.h"

#define WAIT_MS 10000

enum { OPTION_REASON = CLIENT_OPTION_OWN, OPTION_AGENT, OPTION_JSON };

static const struct option long_options[] = { { "reason", required_argument, NULL, OPTION_REASON },
                                              { "agent", required_argument, NULL, OPTION_AGENT },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    const struct action *action;
    struct client_options client_options;
    const char *reason, *agent;
    int with_json;
    char **arguments;
};

struct action {
    const char *name, *endpoint, *needs;
    int arguments;
    void (*write)(const struct call *, struct kanal_json *);
    void (*tell)(yyjson_val *answer);
};

static void write_link(const struct call *call, struct kanal_json *json)
{
    int are_nodes = strncmp(call->arguments[0], "a_", 2) == 0 && strncmp(call->arguments[1], "a_", 2) == 0;
    kanal_json_key(json, are_nodes ? "nodes" : "addresses");
    kanal_json_array(json);
    for (int i = 0; i < 2; i++)
        kanal_json_str(json, kanal_str_c(call->arguments[i]));
    kanal_json_array_end(json);
}

static void write_unlink(const struct call *call, struct kanal_json *json)
{
    kanal_json_member_text(json, "link", call->arguments[0]);
}

static void tell_link(yyjson_val *answer)
{
    printf("customer  ");
    request_print(kanal_json_text_at(answer, "customer"));
    printf("\nlink      ");
    request_print(kanal_json_text_at(kanal_json_at(answer, "link"), "id"));
    printf("\n");
}

static void tell_unlink(yyjson_val *answer)
{
    yyjson_val *split = kanal_json_at(answer, "split"), *id;
    size_t index, count;
    if (!yyjson_is_arr(split))
        return;
    yyjson_arr_foreach (split, index, count, id) {
        printf("customer  ");
        request_print(kanal_json_text(id));
        printf("%s\n", count == 1 ? "  (other links still hold them together)" : "");
    }
}

static const struct action actions[] = {
    { "link", "customer-link", "two addresses, or two nodes", 2, write_link, tell_link },
    { "unlink", "customer-unlink", "the id of a link", 1, write_unlink, tell_unlink },
};

int customer_link_is(const char *word)
{
    return strcmp(word, "link") == 0 || strcmp(word, "unlink") == 0;
}

static void write_request(const struct call *call, const struct action *action, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    action->write(call, &json);
    kanal_json_member_text(&json, "reason", call->reason);
    if (call->agent) {
        kanal_json_key(&json, "agent");
        kanal_json_object(&json);
        kanal_json_member_text(&json, "kind", "person");
        kanal_json_member_text(&json, "id", call->agent);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
}

static int ask(struct call *call)
{
    const struct action *action = call->action;
    struct client client;
    struct kanal_buffer body = { 0 };
    yyjson_doc *document = NULL;
    int code = client_open(&client, &call->client_options, call->command);
    struct request request = { call->command, &client, WAIT_MS, call->with_json };
    write_request(call, action, &body);
    if (code == CLI_OK)
        code = request_send(&request, action->endpoint, kanal_buffer_view(&body), &document);
    if (code == CLI_OK && !call->with_json)
        action->tell(yyjson_doc_get_root(document));
    yyjson_doc_free(document);
    kanal_buffer_release(&body);
    client_close(&client);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

static int run_action(struct call *call, char **arguments, int count)
{
    const struct action *action = call->action;
    if (count > action->arguments)
        return cli_usage(call->command, "unexpected argument '%s'", arguments[action->arguments]);
    if (count < action->arguments)
        return cli_usage(call->command, "%s needs %s", action->name, action->needs);
    call->arguments = arguments;
    return ask(call);
}

static int read_option(struct call *call, int option, const char *value)
{
    if (option == OPTION_REASON)
        call->reason = value;
    else if (option == OPTION_AGENT)
        call->agent = value;
    else if (option == OPTION_JSON)
        call->with_json = 1;
    else {
        int taken = client_option(&call->client_options, option, value);
        return taken > 0 ? CLI_OK
                         : cli_usage(call->command, taken < 0 ? "too many servers" : "unknown option");
    }
    return CLI_OK;
}

int customer_link_run(const struct cli_command *command, int argc, char **argv)
{
    struct call call = { .command = command };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, argv[1]) == 0)
            call.action = &actions[i];
    for (int option; (option = getopt_long(argc - 1, argv + 1, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        int code = read_option(&call, option, optarg);
        if (code != CLI_OK)
            return code;
    }
    return run_action(&call, argv + 1 + optind, argc - 1 - optind);
}
