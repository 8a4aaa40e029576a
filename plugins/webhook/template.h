/* template.h - values made of a payload, as the operator declared them: JSON in which some objects stand for what is to be found.
 *
 *   {"$": "/order/id"}                 what the pointer (RFC 6901) leads to; absent if there is nothing. "@/x": in the element at hand
 *     "as"                             text, number, boolean, money, time, tel, mail, url, encoded: brought to this form; absent if it
 *                                      cannot be. any: as it is. Without it text, but as it is in the free-form members of an event
 *     "map": {"paid": "Order Paid"}    the text looked up; absent if it is not there
 *     "default": value                 instead of absent
 *   {"$join": ["erp:", {…}, …]}        texts put together; absent if one of them is
 *   {"$each": "/items", "do": value}   an array: `do` for each element, "@" being that element
 *   {"$if": "/x", …members}            an object, absent if the pointer leads to nothing; or if the value {"$if": {…}} is absent
 *
 * Everything else stands for itself; members and elements that are absent are left out. No host, only data. */
#ifndef WEBHOOK_TEMPLATE_H
#define WEBHOOK_TEMPLATE_H
#include "kanal/sdk/sdk.h"

#define TEMPLATE_DEPTH_MAX 16u
#define TEMPLATE_ELEMENTS_MAX 4096u /* of all $each of one evaluation: they may be nested */
#define TEMPLATE_BYTES_MAX (512u * 1024)

/* What pointers lead into. Borrowed. */
struct template_scope {
    yyjson_val *root, *element; /* element: NULL outside of an $each */
    kanal_str default_country;  /* of `tel`; absent: none */
    int is_free; /* what has no `as` is copied as it is: the contract does not say what it must be */
    size_t *elements_left; /* counts down from TEMPLATE_ELEMENTS_MAX */
};

/* What is wrong with a template, and where: "/activity/name: …", appended to `out`. 0, or KANAL_E_INVALID. path: what stands before it. */
kanal_status template_check(yyjson_val *template, kanal_str path, struct kanal_buffer *out);
/* The same for a pointer alone. */
kanal_status template_check_pointer(yyjson_val *pointer, kanal_str path, struct kanal_buffer *out);

/* Writes the value; 0 if it is absent: then nothing was written. Over TEMPLATE_BYTES_MAX the buffer is marked as failed. */
int template_write(struct kanal_json *, yyjson_val *template, const struct template_scope *);
/* The members of an object alone, into one that was begun. */
void template_write_members(struct kanal_json *, yyjson_val *template, const struct template_scope *);
/* The value as text (a string, number or boolean), appended; 0 if it is absent or something else: then nothing was appended. */
int template_text(struct kanal_buffer *out, yyjson_val *template, const struct template_scope *);
/* What a pointer leads to, or NULL. */
yyjson_val *template_find(yyjson_val *pointer, const struct template_scope *);

#endif
