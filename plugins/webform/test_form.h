/* test_form.h - a web form's channel on the fake host, and what its two tests ask of it. */
#ifndef WEBFORM_TEST_FORM_H
#define WEBFORM_TEST_FORM_H
#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"

#define ORIGIN "https://shop.example.com"
#define FORM_TYPE "application/x-www-form-urlencoded"
#define JSON_TYPE "application/json; charset=utf-8"
#define CHAT_MAC "iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q" /* made with Python's hmac */
#define GOOD_FORM "phone=89161234567&kanal_consent_service=on"

extern const char *const test_secrets[1][2];

kanal_str read_fixture(const char *name, struct kanal_buffer *out);
/* The fixture's settings, with `more` ("\"token\":\"required\"") in front. */
struct fake_host *new_host(const char *more);
const kanal_http_response *post_as(struct fake_host *host, const char *target, const char *type,
                                   const char *origin, kanal_str body);
const kanal_http_response *post_form(struct fake_host *host, const char *body);
const char *response_header(const kanal_http_response *response, const char *name);
/* error.code, copied into `out`; "" if there is none. */
const char *error_of(const kanal_http_response *response, const char *member, char out[64]);
void expect_error(const kanal_http_response *response, int32_t code, const char *name, const char *field);
yyjson_val *event_data(struct fake_host *host, size_t index);
void expect_data(struct fake_host *host, const char *pointer, const char *wanted);

#endif
