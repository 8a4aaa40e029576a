/* It believes that what a client posts is an object with a text. */
#define TINY_MEMBERS size_t len;
#define TINY_IN_HTTP(channel, op, request)                                                                   \
    yyjson_doc *early = kanal_json_parse((request)->body);                                                   \
    (channel)->len +=                                                                                        \
        *(const volatile char *)yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(early), "text"));          \
    yyjson_doc_free(early)
#include "tiny.h"
