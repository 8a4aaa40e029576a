/* kit/template.h - the files of sdk/template, compiled in; made by template.py. */
#ifndef KANAL_KIT_TEMPLATE_H
#define KANAL_KIT_TEMPLATE_H
#include <stddef.h>

struct template_file {
    const char *path; /* relative, with the template's name in it */
    const unsigned char *bytes;
    size_t len;
    unsigned mode;
};
extern const struct template_file template_files[]; /* ends with an entry without a path */

#endif
