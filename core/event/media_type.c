/* In a file of its own: the worker's program judges media types, too, and has no use for signatures. */
#include <string.h>

#include "event/media_url.h"

static int is_type_char(char c)
{
    /* The characters of a token (RFC 9110, 5.6.2) that RFC 6838, 4.2 allows in a registered name. */
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$&-^_.+", c));
}

int media_type_valid(kanal_str type)
{
    size_t slash = 0, end;
    while (slash < type.len && is_type_char(type.ptr[slash]))
        slash++;
    if (type.len > MEDIA_TYPE_MAX || slash == 0 || slash + 1 >= type.len || type.ptr[slash] != '/')
        return 0;
    for (end = slash + 1; end < type.len && is_type_char(type.ptr[end]); end++)
        ;
    if (end == slash + 1 || (end < type.len && type.ptr[end] != ';' && type.ptr[end] != ' '))
        return 0;
    for (; end < type.len; end++) /* parameters: anything that cannot end the header */
        if (type.ptr[end] < ' ' || type.ptr[end] > '~')
            return 0;
    return 1;
}
