/* head.h - a header block before GMime reads it. Pure. */
#ifndef EMAIL_HEAD_H
#define EMAIL_HEAD_H
#include "kanal/sdk/buffer.h"

#define HEAD_FIELDS_MAX 500u
#define HEAD_FIELD_MAX 8192u
#define HEAD_ITEMS_MAX 256u /* addresses or parameters of one field */

/* Appends the block, with each field cut to HEAD_FIELD_MAX bytes, lists of addresses or parameters also to HEAD_ITEMS_MAX, and each of these fields once:
 * GMime's time for lists grows with the square of their length (measured with 3.2.13: 8 KiB of "a,a,a" take half a second).
 * 1: something was left out. */
int head_trim(struct kanal_buffer *out, kanal_str head);

#endif
