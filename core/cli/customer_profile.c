#include "cli/customer_profile.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/request.h"
#include "kanal/sdk/json.h"

#define WAIT_MS 10000
#define CHANGES_MAX 128u

enum {
    OPTION_SET = CLIENT_OPTION_OWN,
    OPTION_REMOVE,
    OPTION_PREFER,
    OPTION_QUIET,
    OPTION_CONSENT,
    OPTION_AGENT,
    OPTION_JSON
};

static const struct option long_options[] = { { "set", required_argument, NULL, OPTION_SET },
                                              { "remove", required_argument, NULL, OPTION_REMOVE },
                                              { "prefer", required_argument, NULL, OPTION_PREFER },
                                              { "quiet", required_argument, NULL, OPTION_QUIET },
                                              { "consent", required_argument, NULL, OPTION_CONSENT },
                                              { "agent", required_argument, NULL, OPTION_AGENT },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

/* Options that may be repeated, as they were given. */
struct words {
    const char *all[CHANGES_MAX];
    size_t count;
};

struct call {
    const struct cli_command *command;
    struct client_options client_options;
    struct words set, removed, consent;
    const char *who, *preferred, *quiet, *agent;
    int is_update, with_json;
};

int customer_profile_is(const char *word)
{
    return strcmp(word, "get") == 0 || strcmp(word, "update") == 0;
}

/* ---- What is printed ---- */

static void print_text(const char *label, kanal_str text)
{
    if (text.len == 0)
        return;
    printf("%-14s  ", label);
    request_print(text);
    printf("\n");
}

/* An object's members, a line each. */
static void print_members(yyjson_val *object)
{
    size_t index, count;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(object))
        return;
    yyjson_obj_foreach (object, index, count, key, value) {
        char *text = yyjson_is_str(value) ? NULL : yyjson_val_write(value, YYJSON_WRITE_NOFLAG, NULL);
        printf("  ");
        request_print(kanal_json_text(key));
        printf(": ");
        request_print(text ? kanal_str_c(text) : kanal_json_text(value));
        printf("\n");
        free(text);
    }
}

static void print_addresses(yyjson_val *addresses)
{
    size_t index, count;
    yyjson_val *one;
    printf("addresses\n");
    yyjson_arr_foreach (addresses, index, count, one) {
        kanal_str address = kanal_json_text_at(one, "address");
        printf("  ");
        request_print(address.len > 0 ? address : kanal_json_text_at(one, "node"));
        printf("%s", kanal_json_bool_at(one, "verified") ? ", proved" : "");
        kanal_str since = kanal_json_text_at(one, "since"),
                  kind = kanal_json_text_at(kanal_json_at(one, "evidence"), "kind");
        if (since.len > 0)
            printf(", since %.10s", since.ptr);
        if (kind.len > 0) {
            printf(", linked by ");
            request_print(kind);
        }
        printf("\n");
    }
}

static void print_touches(yyjson_val *touches)
{
    size_t index, count;
    yyjson_val *one;
    printf("touches\n");
    yyjson_arr_foreach (touches, index, count, one) {
        printf("  %6lld  ", (long long)kanal_json_int_at(one, "count", 0));
        request_print(kanal_json_text_at(one, "type"));
        printf("  ");
        request_print(kanal_json_text_at(one, "channel"));
        printf("\n");
    }
}

static void print_consent(yyjson_val *consent)
{
    size_t index, count;
    yyjson_val *one;
    printf("consent\n");
    yyjson_arr_foreach (consent, index, count, one) {
        kanal_str purpose = kanal_json_text_at(one, "purpose"), channel = kanal_json_text_at(one, "channel");
        printf("  %s  ", kanal_json_bool_at(one, "given") ? "given    " : "withdrawn");
        request_print(purpose.len > 0 ? purpose : KANAL_LIT("everything"));
        if (channel.len > 0) {
            printf(" on ");
            request_print(channel);
        }
        printf("\n");
    }
}

static void print_touch(const char *label, yyjson_val *touch)
{
    if (!touch)
        return;
    printf("%-14s  ", label);
    request_print(kanal_json_text_at(touch, "time"));
    printf("  ");
    request_print(kanal_json_text_at(touch, "type"));
    printf("  ");
    request_print(kanal_json_text_at(touch, "channel"));
    printf("\n");
}

static void print_cart(yyjson_val *cart)
{
    size_t index, count;
    yyjson_val *item;
    printf("cart\n");
    yyjson_arr_foreach (kanal_json_at(cart, "items"), index, count, item) {
        kanal_str name = kanal_json_text_at(item, "name"), price = kanal_json_text_at(item, "price");
        printf("  %g × ", yyjson_get_num(kanal_json_at(item, "quantity")));
        request_print(name.len > 0 ? name : kanal_json_text_at(item, "id"));
        if (price.len > 0) {
            printf("  ");
            request_print(price);
            printf(" ");
            request_print(kanal_json_text_at(item, "currency"));
        }
        printf("\n");
    }
}

static void tell(yyjson_val *customer)
{
    static const struct {
        const char *member;
        void (*print)(yyjson_val *);
    } lists[] = { { "addresses", print_addresses },
                  { "touches", print_touches },
                  { "consent", print_consent } };
    print_text("customer", kanal_json_text_at(customer, "id"));
    print_members(kanal_json_at(customer, "profile"));
    print_touch("first touch", kanal_json_at(customer, "first_touch"));
    print_touch("last touch", kanal_json_at(customer, "last_touch"));
    print_text("wrote last on", kanal_json_text_at(kanal_json_at(customer, "last_inbound"), "channel"));
    print_text("prefers", kanal_json_text_at(customer, "preferred_channel"));
    if (yyjson_is_arr(kanal_json_at(kanal_json_at(customer, "cart"), "items")))
        print_cart(kanal_json_at(customer, "cart"));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (yyjson_arr_size(kanal_json_at(customer, lists[i].member)) > 0)
            lists[i].print(kanal_json_at(customer, lists[i].member));
}

/* ---- What is asked ---- */

static void write_who(struct kanal_json *json, const char *who)
{
    const char *member = strncmp(who, "c_", 2) == 0   ? "customer"
                         : strncmp(who, "a_", 2) == 0 ? "node"
                                                      : "address";
    kanal_json_member_text(json, member, who);
}

/* JSON if it is some, or else a text. */
static void write_value(struct kanal_json *json, const char *text)
{
    yyjson_doc *document = kanal_json_parse(kanal_str_c(text));
    if (document)
        kanal_json_value(json, yyjson_doc_get_root(document));
    else
        kanal_json_str(json, kanal_str_c(text));
    yyjson_doc_free(document);
}

/* attributes.NAME=VALUE, or the others. */
static void write_settings(const struct call *call, struct kanal_json *json, int attributes)
{
    for (size_t i = 0; i < call->set.count; i++) {
        const char *text = call->set.all[i], *equals = strchr(text, '=');
        int is_attribute = strncmp(text, "attributes.", 11) == 0;
        if (is_attribute != attributes)
            continue;
        const char *name = is_attribute ? text + 11 : text;
        kanal_json_key_str(json, kanal_str_of(name, (size_t)(equals - name)));
        if (is_attribute)
            write_value(json, equals + 1);
        else
            kanal_json_str(json, kanal_str_c(equals + 1));
    }
}

static void write_profile(const struct call *call, struct kanal_json *json)
{
    if (call->set.count == 0)
        return;
    kanal_json_key(json, "profile");
    kanal_json_object(json);
    write_settings(call, json, 0);
    kanal_json_key(json, "attributes");
    kanal_json_object(json);
    write_settings(call, json, 1);
    kanal_json_object_end(json);
    kanal_json_object_end(json);
}

/* "marketing=yes", "marketing@shop-sms=no", "@shop-sms=no", "all=yes". */
static void write_consent(const struct call *call, struct kanal_json *json)
{
    if (call->consent.count == 0)
        return;
    kanal_json_key(json, "consent");
    kanal_json_array(json);
    for (size_t i = 0; i < call->consent.count; i++) {
        const char *text = call->consent.all[i], *equals = strrchr(text, '='), *at = strchr(text, '@');
        kanal_str purpose = kanal_str_of(text, (size_t)((at ? at : equals) - text));
        kanal_json_object(json);
        if (purpose.len > 0 && !kanal_str_is(purpose, "all"))
            kanal_json_member_str(json, "purpose", purpose);
        kanal_json_member_bool(json, "given", strcmp(equals + 1, "yes") == 0);
        if (at)
            kanal_json_member_str(json, "channel", kanal_str_of(at + 1, (size_t)(equals - at - 1)));
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

static void write_update(const struct call *call, struct kanal_json *json)
{
    write_profile(call, json);
    if (call->removed.count > 0) {
        kanal_json_key(json, "removed");
        kanal_json_array(json);
        for (size_t i = 0; i < call->removed.count; i++)
            kanal_json_str(json, kanal_str_c(call->removed.all[i]));
        kanal_json_array_end(json);
    }
    kanal_json_member_text(json, "preferred_channel", call->preferred);
    if (call->quiet) {
        const char *dash = strchr(call->quiet, '-');
        kanal_json_key(json, "quiet_hours");
        kanal_json_object(json);
        kanal_json_member_str(json, "from", kanal_str_of(call->quiet, (size_t)(dash - call->quiet)));
        kanal_json_member_text(json, "to", dash + 1);
        kanal_json_object_end(json);
    }
    write_consent(call, json);
    if (call->agent) {
        kanal_json_key(json, "agent");
        kanal_json_object(json);
        kanal_json_member_text(json, "kind", "person");
        kanal_json_member_text(json, "id", call->agent);
        kanal_json_object_end(json);
    }
}

static int ask(struct call *call)
{
    struct client client;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    yyjson_doc *document = NULL;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    write_who(&json, call->who);
    if (call->is_update)
        write_update(call, &json);
    kanal_json_object_end(&json);
    int code = client_open(&client, &call->client_options, call->command);
    struct request request = { call->command, &client, WAIT_MS, call->with_json };
    if (code == CLI_OK)
        code = request_send(&request, call->is_update ? "customer-update" : "customer-get",
                            kanal_buffer_view(&body), &document);
    if (code == CLI_OK && !call->with_json)
        tell(kanal_json_at(yyjson_doc_get_root(document), "customer"));
    yyjson_doc_free(document);
    kanal_buffer_release(&body);
    client_close(&client);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

/* ---- The words of the call ---- */

static int add(const struct call *call, struct words *words, const char *value)
{
    if (words->count == CHANGES_MAX)
        return cli_usage(call->command, "at most %u changes of a kind at once", CHANGES_MAX);
    words->all[words->count++] = value;
    return CLI_OK;
}

static int check_words(const struct call *call)
{
    for (size_t i = 0; i < call->set.count; i++)
        if (!strchr(call->set.all[i], '='))
            return cli_usage(call->command, "--set: expected NAME=VALUE, found '%s'", call->set.all[i]);
    for (size_t i = 0; i < call->consent.count; i++) {
        const char *equals = strrchr(call->consent.all[i], '=');
        if (!equals || (strcmp(equals, "=yes") != 0 && strcmp(equals, "=no") != 0))
            return cli_usage(call->command, "--consent: expected WHAT=yes or WHAT=no, found '%s'",
                             call->consent.all[i]);
    }
    if (call->quiet && !strchr(call->quiet, '-'))
        return cli_usage(call->command, "--quiet: expected FROM-TO, such as 22:00-08:00, found '%s'",
                         call->quiet);
    int has_change =
        call->set.count + call->removed.count + call->consent.count > 0 || call->preferred || call->quiet;
    if (call->is_update && !has_change)
        return cli_usage(call->command,
                         "update needs a change: --set, --remove, --prefer, --quiet or --consent");
    if (!call->is_update && (has_change || call->agent))
        return cli_usage(call->command, "get changes nothing: `kanal customer update` does");
    return CLI_OK;
}

static int read_option(struct call *call, int option, const char *value)
{
    switch (option) {
    case OPTION_SET:
        return add(call, &call->set, value);
    case OPTION_REMOVE:
        return add(call, &call->removed, value);
    case OPTION_CONSENT:
        return add(call, &call->consent, value);
    case OPTION_PREFER:
        call->preferred = value;
        return CLI_OK;
    case OPTION_QUIET:
        call->quiet = value;
        return CLI_OK;
    case OPTION_AGENT:
        call->agent = value;
        return CLI_OK;
    case OPTION_JSON:
        call->with_json = 1;
        return CLI_OK;
    default:
        break;
    }
    int taken = client_option(&call->client_options, option, value);
    return taken > 0 ? CLI_OK : cli_usage(call->command, taken < 0 ? "too many servers" : "unknown option");
}

int customer_profile_run(const struct cli_command *command, int argc, char **argv)
{
    struct call call = { .command = command, .is_update = strcmp(argv[1], "update") == 0 };
    for (int option; (option = getopt_long(argc - 1, argv + 1, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        int code = read_option(&call, option, optarg);
        if (code != CLI_OK)
            return code;
    }
    char **arguments = argv + 1 + optind;
    int count = argc - 1 - optind;
    if (count != 1)
        return cli_usage(command,
                         count == 0 ? "%s needs a customer (c_…), a node (a_…) or an address"
                                    : "unexpected argument '%s'",
                         count == 0 ? argv[1] : arguments[1]);
    call.who = arguments[0];
    int code = check_words(&call);
    return code == CLI_OK ? ask(&call) : code;
}
