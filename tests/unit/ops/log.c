#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "kanal/sdk/json.h"
#include "ops/log.h"

static int ends[2];
static char line[8192];

static struct log *make(const char *format, int level)
{
    struct log *log = NULL;
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    cr_assert_eq(log_new(&log, ends[1], format, level), 0);
    return log;
}

static const char *read_line(void)
{
    ssize_t n = read(ends[0], line, sizeof line - 1);
    line[n > 0 ? n : 0] = 0;
    return line;
}

Test(log, a_line_is_one_json_object)
{
    struct log *log = make("json", KANAL_LOG_INFO);
    struct log_field fields[] = { { .name = "plugin", .text = KANAL_LIT("tele\"gram") },
                                  { .name = "n", .number = -5 } };
    log_write_fields(log, KANAL_LOG_WARN, "http", "shop", KANAL_LIT("a\nb \x1b[31m"), fields, 2);
    yyjson_doc *document = kanal_json_parse(kanal_str_c(read_line()));
    yyjson_val *root = yyjson_doc_get_root(document);
    cr_assert_not_null(root);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1);
    cr_assert(kanal_str_is(kanal_json_text_at(root, "level"), "warn"));
    cr_assert(kanal_str_is(kanal_json_text_at(root, "channel"), "shop"));
    cr_assert(kanal_str_is(kanal_json_text_at(root, "message"), "a\nb \x1b[31m"));
    cr_assert(kanal_str_is(kanal_json_text_at(root, "plugin"), "tele\"gram"));
    cr_assert_eq(kanal_json_int_at(root, "n", 0), -5);
    yyjson_doc_free(document);
    log_free(log);
}

Test(log, text_has_no_control_characters_from_outside)
{
    struct log *log = make("text", KANAL_LOG_INFO);
    log_write(log, KANAL_LOG_ERROR, "http", NULL, "%s", "a\nb\x1b[31m");
    read_line();
    cr_assert_not_null(strstr(line, "a b [31m\n"));
    log_free(log);
}

Test(log, secrets_are_masked_wherever_they_appear)
{
    struct log *log = make("json", KANAL_LOG_INFO);
    log_mask(log, KANAL_LIT("s3cr\"et-token"));
    log_mask(log, KANAL_LIT("tiny")); /* too short to be masked without ruining the log */
    log_write(log, KANAL_LOG_ERROR, "http", NULL, "tiny https://x/bot%s/y", "s3cr\"et-token");
    read_line();
    cr_assert_null(strstr(line, "et-token"));
    cr_assert_not_null(strstr(line, "tiny https://x/bot*************/y"));
    log_free(log);
}

Test(log, lower_levels_are_left_out)
{
    struct log *log = make("json", KANAL_LOG_WARN);
    log_write(log, KANAL_LOG_INFO, "http", NULL, "x");
    cr_assert_str_eq(read_line(), "");
    log_write(log, KANAL_LOG_WARN, "http", NULL, "x");
    cr_assert_str_neq(read_line(), "");
    log_free(log);
}

Test(log, a_reader_that_is_gone_stops_nobody)
{
    struct log *log = make("json", KANAL_LOG_INFO);
    for (int i = 0; i < 5000; i++)
        log_write(log, KANAL_LOG_INFO, "http", NULL, "the pipe is full long before this");
    log_free(log);
}
