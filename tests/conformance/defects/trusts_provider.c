/* It believes that the provider's answer is the JSON it expects. */
#include <stdlib.h>
#define TINY_MEMBERS size_t len;
#define TINY_ON_RESPONSE(job, status, response)                                                              \
    if ((status) == KANAL_OK && (response)->code == 200) {                                                   \
        yyjson_doc *reply = kanal_json_parse((response)->body);                                              \
        const char *id = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(reply), "id"));                   \
        if (!(job)->is_start)                                                                                \
            (job)->channel->len += *(const volatile char *)id == '7';                                        \
        yyjson_doc_free(reply);                                                                              \
    }
#include "tiny.h"
