/* The first byte says what the rest is: a mail; what an IMAP server says; HTML; a text with quotations; the data of a delivery; a kept cursor, a
 * thread. The fake host sees to it that events are valid by the contract, and that nothing takes too long. */
#include <stdio.h>

#include "cursor.h"
#include "head.h"
#include "html.h"
#include "kanal/testing/fakehost.h"
#include "quote.h"

static const char settings[] =
    "{\"address\":\"shop@example.com\",\"imap_url\":\"imaps://imap.example.com\",\"smtp_url\":\"smtp://"
    "smtp.example.com\",\"start\":\"all\","
    "\"authserv_id\":\"mx.example.com\",\"charset\":\"windows-1251\",\"folders\":[\"INBOX\"]}";
static const char *const secrets[][2] = { { "password", "correct horse" } };

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static kanal_op begin(struct fake_host **ret_host)
{
    *ret_host = fake_new(kanal_plugin_v1(), settings, secrets, 1);
    kanal_op stream = fake_stream_at(*ret_host, 0)->op;
    fake_stream_open(*ret_host, stream);
    return stream;
}

static void hear(struct fake_host *host, kanal_op stream, kanal_str bytes)
{
    const struct fake_stream *s = fake_stream_at(host, 0);
    if (bytes.len > 0 && s->op == stream && s->open)
        fake_stream_receive(host, stream, bytes.ptr, bytes.len);
}

static void fuzz_mail(kanal_str mail)
{
    struct fake_host *host;
    char line[96];
    kanal_op stream = begin(&host);
    hear(host, stream, KANAL_LIT("* CAPABILITY IMAP4rev1\r\nK1 OK\r\n"));
    hear(host, stream, KANAL_LIT("* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 9]\r\nK2 OK\r\n"));
    hear(host, stream, KANAL_LIT("* SEARCH 5\r\nK3 OK\r\n"));
    snprintf(line, sizeof line, "* 1 FETCH (UID 5 RFC822.SIZE %zu BODY[]<0> {%zu}\r\n", mail.len, mail.len);
    hear(host, stream, kanal_str_c(line));
    for (size_t at = 0, n = 1; at < mail.len; at += n, n = n * 3 + 1)
        hear(host, stream, kanal_str_of(mail.ptr + at, n < mail.len - at ? n : mail.len - at));
    hear(host, stream, KANAL_LIT(")\r\nK4 OK\r\n"));
    check(fake_event_count(host) > 0 || fake_metric(host, "mails_own") > 0);
    check(fake_free(host) == 0);
}

static void fuzz_server(kanal_str bytes)
{
    struct fake_host *host;
    kanal_op stream = begin(&host);
    while (bytes.len > 0) { /* a line at a time, so that what is answered can be answered */
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t n = end ? (size_t)(end - bytes.ptr) + 1 : bytes.len;
        hear(host, stream, kanal_str_of(bytes.ptr, n));
        bytes = kanal_str_from(bytes, n);
    }
    check(fake_free(host) == 0);
}

static void fuzz_texts(char kind, kanal_str text)
{
    struct kanal_buffer out = { 0 };
    struct cursor cursor, again;
    if (kind == 'h') {
        html_to_text(&out, text);
    } else if (kind == 'q') {
        struct quote_split split = quote_split(text);
        check(split.before.len + split.quoted.len + split.after.len <= text.len);
    } else if (kind == 't') {
        head_trim(&out, text);
        check(out.len <= text.len + 2 * HEAD_FIELDS_MAX);
    } else {
        cursor_parse_date(text);
        cursor_encode_name(&out, text);
        kanal_buffer_clear(&out);
        if (cursor_read(&cursor, text) == KANAL_OK) {
            cursor_write(&cursor, &out);
            check(cursor_read(&again, kanal_buffer_view(&out)) == KANAL_OK && again.uid == cursor.uid &&
                  again.key_count == cursor.key_count);
        }
    }
    kanal_buffer_release(&out);
}

static void fuzz_delivery(kanal_str data)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, secrets, 1);
    const kanal_delivery delivery = { .struct_size = sizeof delivery,
                                      .address = KANAL_LIT("mailto:anna@example.org"),
                                      .chat = KANAL_LIT("a@b"),
                                      .data = data };
    kanal_op op = fake_deliver(host, &delivery);
    if (fake_mail_count(host) > 0)
        fake_mail_answer(host, 0, KANAL_OK, 250, "ok");
    check(fake_answer(host, op)->answered);
    check(fake_free(host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    kanal_str text = { (const char *)data + 1, size - 1 };
    switch (data[0]) {
    case 'm':
        fuzz_mail(text);
        break;
    case 'i':
        fuzz_server(text);
        break;
    case 'd':
        fuzz_delivery(text);
        break;
    default:
        fuzz_texts((char)data[0], text);
    }
    return 0;
}
