/* The extensions of the fake host, against a plugin that notes what it is told. */
#include <criterion/criterion.h>

#include "kanal/testing/fakehost.h"

struct kanal_channel {
    const kanal_host *host;
};

static struct kanal_buffer told; /* of the test's own process */

static void tell(const char *what, kanal_status status, kanal_str bytes)
{
    kanal_buffer_text(&told, what);
    kanal_buffer_byte(&told, ' ');
    kanal_buffer_int(&told, status);
    kanal_buffer_byte(&told, ' ');
    kanal_buffer_str(&told, bytes);
    kanal_buffer_byte(&told, ';');
}

static void expect_told(const char *text)
{
    cr_expect(kanal_str_is(kanal_buffer_view(&told), text), "'%.*s', not '%s'", (int)told.len, told.data,
              text);
    kanal_buffer_release(&told);
}

static void told_open(kanal_channel *channel, kanal_op stream)
{
    (void)channel, (void)stream;
    tell("open", 0, kanal_str_of(NULL, 0));
}

static void told_data(kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    (void)channel, (void)stream;
    tell("data", 0, bytes);
}

static void told_end(kanal_channel *channel, kanal_op stream)
{
    (void)channel, (void)stream;
    tell("end", 0, kanal_str_of(NULL, 0));
}

static void told_close(kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    (void)channel, (void)stream, (void)reason;
    tell("close", status, kanal_str_of(NULL, 0));
}

static void told_held(kanal_channel *channel, kanal_op lease)
{
    (void)channel, (void)lease;
    tell("held", 0, kanal_str_of(NULL, 0));
}

static void told_lost(kanal_channel *channel, kanal_op lease)
{
    (void)channel, (void)lease;
    tell("lost", 0, kanal_str_of(NULL, 0));
}

static const void *told_extension(kanal_channel *channel, const char *id)
{
    static const kanal_stream_plugin streams = { .struct_size = sizeof streams,
                                                 .on_open = told_open,
                                                 .on_data = told_data,
                                                 .on_end = told_end,
                                                 .on_close = told_close };
    static const kanal_lease_plugin leases = { .struct_size = sizeof leases,
                                               .on_held = told_held,
                                               .on_lost = told_lost };
    (void)channel;
    return strcmp(id, KANAL_EXT_STREAM) == 0  ? (const void *)&streams
           : strcmp(id, KANAL_EXT_LEASE) == 0 ? (const void *)&leases
                                              : NULL;
}

static void told_done(void *user, kanal_status status)
{
    (void)user;
    tell("done", status, kanal_str_of(NULL, 0));
}

static void told_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)user, (void)revision;
    tell("value", status, value);
}

static void told_mail(void *user, kanal_status status, const kanal_mail_result *result)
{
    (void)user;
    tell("mail", status, result->reply.text);
    cr_expect_eq(result->recipient_count, 2);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    (void)config;
    channel->host = host;
    return channel;
}

static void finish(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void destroy(kanal_channel *channel)
{
    free(channel);
}

static struct fake_host *new_host(void)
{
    static const char *const egress[] = { "smsc.example.com:2775", NULL };
    static const kanal_secret secrets[] = { { "token", "the password", KANAL_SECRET_REQUIRED } };
    static const char *const given[][2] = { { "token", "Jefe" } };
    static const kanal_plugin plugin = { .struct_size = sizeof plugin,
                                         .abi_minor = KANAL_ABI_MINOR,
                                         .id = "told",
                                         .name = "Told",
                                         .version = "1.0.0",
                                         .egress = egress,
                                         .secrets = secrets,
                                         .secret_count = 1,
                                         .settings_schema = "{\"type\":\"object\"}",
                                         .create = create,
                                         .start = finish,
                                         .stop = finish,
                                         .destroy = destroy,
                                         .extension = told_extension };
    return fake_new(&plugin, "{}", given, 1);
}

Test(fakehost_extensions, streams)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    const kanal_stream_host *streams = h->extension(h, KANAL_EXT_STREAM);
    kanal_stream_target target = { .host = KANAL_LIT("smsc.example.com"), .port = 2775, .credit = 4 };
    kanal_op op = streams->connect(h, &target);
    cr_assert_eq(fake_stream_count(host), 1);
    cr_expect_str_eq(fake_stream_at(host, 0)->target.host.ptr, "smsc.example.com");
    fake_stream_open(host, op);
    fake_stream_receive(host, op, "abcdef", 6);
    expect_told("open 0 ;data 0 abcd;");
    streams->credit(h, op, 1);
    fake_run(host);
    expect_told("data 0 e;");
    kanal_stream_secret use = { .position = 4, .length_bytes = 4, .secret = KANAL_LIT("token") };
    streams->write(h, op, kanal_str_of("\0\0\0\5!", 5), &use, 1, told_done, NULL);
    fake_run(host);
    expect_told("done 0 ;");
    cr_expect(kanal_str_equal(fake_stream_take(host, op), kanal_str_of("\0\0\0\011Jefe!", 9)));
    fake_stream_end(host, op);
    fake_stream_close(host, op, KANAL_E_NETWORK);
    streams->write(h, op, KANAL_LIT("late"), NULL, 0, told_done, NULL);
    fake_run(host);
    expect_told("end 0 ;close -6 ;done -3 ;");
    cr_expect_eq(fake_free(host), 0);
}

Test(fakehost_extensions, links)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    const kanal_link_host *links = h->extension(h, KANAL_EXT_LINK);
    cr_expect_eq(fake_link_template(host).len, 0);
    links->offer(h, KANAL_LIT("https://t.me/shopbot?start={ref}"));
    cr_expect(kanal_str_is(fake_link_template(host), "https://t.me/shopbot?start={ref}"));
    links->offer(h, kanal_str_of(NULL, 0));
    cr_expect_eq(fake_link_template(host).len, 0);
    cr_expect_eq(fake_free(host), 0);

    host = new_host();
    h = fake_channel(host)->host;
    links = h->extension(h, KANAL_EXT_LINK);
    links->offer(h, KANAL_LIT("https://t.me/shopbot"));
    cr_expect_neq(fake_free(host), 0, "a link without a place for the reference is reported");
}

Test(fakehost_extensions, leases_mail_and_blobs_in_pieces)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    const kanal_lease_host *leases = h->extension(h, KANAL_EXT_LEASE);
    kanal_op lease = leases->acquire(h, KANAL_LIT("poll"), 0);
    cr_expect_eq(leases->acquire(h, KANAL_LIT("poll"), 0), 0);
    cr_expect_eq(leases->held(h, lease), 0);
    fake_run(host);
    cr_expect_eq(leases->held(h, lease), 1);
    fake_lease_hold(host, 0);
    cr_expect_eq(leases->held(h, lease), 0);
    fake_lease_hold(host, 1);
    leases->release(h, lease);
    expect_told("held 0 ;lost 0 ;held 0 ;");

    const kanal_transfer_host *transfer = h->extension(h, KANAL_EXT_TRANSFER);
    kanal_str to[] = { KANAL_LIT("b@example.com"), KANAL_LIT("c@example.com") };
    kanal_piece pieces[] = { { .data = KANAL_LIT("Subject: x\r\n\r\n") }, { .source = KANAL_LIT("blob:7") } };
    kanal_mail mail = { .struct_size = sizeof mail,
                        .from = KANAL_LIT("a@example.com"),
                        .recipients = to,
                        .recipient_count = 2,
                        .pieces = pieces,
                        .piece_count = 2 };
    transfer->mail(h, 0, &mail, told_mail, NULL);
    kanal_op cancelled = transfer->mail(h, 0, &mail, told_mail, NULL);
    cr_assert_eq(fake_mail_count(host), 2);
    cr_expect(kanal_str_is(fake_mail_at(host, 0)->body, "Subject: x\r\n\r\n<source:blob:7>"));
    fake_mail_answer(host, 0, KANAL_OK, 250, "queued");
    h->cancel(h, cancelled);
    fake_run(host);
    cr_expect_eq(fake_mail_count(host), 0);
    expect_told("mail 0 queued;mail -7 ;");

    const kanal_blob2_host *blobs = h->extension(h, KANAL_EXT_BLOB_2);
    kanal_op blob = blobs->open(h, KANAL_LIT("text/plain"), kanal_str_of(NULL, 0));
    blobs->append(h, blob, KANAL_LIT("piece"), told_done, NULL);
    blobs->commit(h, blob, told_value, NULL);
    blobs->append(h, blob, KANAL_LIT("late"), told_done, NULL);
    fake_run(host);
    expect_told("done 0 ;value 0 blob:1;done -3 ;");
    cr_expect_eq(fake_free(host), 0);
}
