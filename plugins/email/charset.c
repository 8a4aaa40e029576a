#include "charset.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>

#include "kanal/sdk/str.h"

#define CHUNK_BYTES 4096u
#define NAME_BYTES_MAX 64u

/* A worker's second stage opens no file, and libc's iconv loads a module for each charset: so they are loaded while the plugin is. A
 * converter that is open keeps its module; these are never closed. They belong to the process, as the code does. */
static const char *const charsets[] = {
    "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",
    "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-13",  "ISO-8859-14",
    "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253",
    "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "KOI8-R",
    "KOI8-U",       "IBM866",       "IBM850",       "IBM437",       "MACINTOSH",    "MAC-CYRILLIC",
    "TIS-620",      "GB2312",       "GBK",          "GB18030",      "HZ",           "BIG5",
    "BIG5-HKSCS",   "SHIFT_JIS",    "CP932",        "EUC-JP",       "ISO-2022-JP",  "ISO-2022-KR",
    "EUC-KR",       "CP949",        "ISO-2022-CN",  "UTF-7",        "UTF-16",       "UTF-32",
    "US-ASCII",     "UTF-8",
};

static iconv_t loaded[sizeof charsets / sizeof *charsets];

__attribute__((constructor)) static void load_charsets(void)
{
    g_mime_init();
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        loaded[i] = iconv_open("UTF-8", charsets[i]);
}

/* ---- Converting ---- */

/* The converter of a charset, or (iconv_t)-1. */
static iconv_t open_converter(const char *charset)
{
    char name[NAME_BYTES_MAX + 1];
    size_t n = charset ? strlen(charset) : 0;
    if (n == 0 || n > NAME_BYTES_MAX || strchr(charset, '/') != NULL) /* "//TRANSLIT" is none of theirs */
        return (iconv_t)-1;
    memcpy(name, charset, n + 1);
    /* Windows' names for what is larger than the standard of that name. */
    if (g_ascii_strcasecmp(name, "gb2312") == 0 || g_ascii_strcasecmp(name, "x-gbk") == 0)
        return iconv_open("UTF-8", "GB18030");
    if (g_ascii_strcasecmp(name, "iso-8859-1") == 0 || g_ascii_strcasecmp(name, "us-ascii") == 0)
        return iconv_open("UTF-8", "WINDOWS-1252");
    return iconv_open("UTF-8", g_mime_charset_iconv_name(name));
}

static void append_clean(struct kanal_buffer *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t')
            kanal_buffer_byte(out, (char)c);
    }
}

static void append_unknown(struct kanal_buffer *out)
{
    kanal_buffer_text(out, "\xef\xbf\xbd");
}

static void convert(struct kanal_buffer *out, kanal_str bytes, iconv_t converter)
{
    char chunk[CHUNK_BYTES];
    char *in = (char *)bytes.ptr;
    size_t in_left = bytes.len;
    while (in_left > 0) {
        char *to = chunk;
        size_t to_left = sizeof chunk;
        size_t done = iconv(converter, &in, &in_left, &to, &to_left);
        int error = done == (size_t)-1 ? errno : 0;
        append_clean(out, chunk, sizeof chunk - to_left);
        if (error == 0 || error == E2BIG)
            continue;
        append_unknown(out); /* EILSEQ; EINVAL: it breaks off */
        in++;
        in_left--;
        iconv(converter, NULL, NULL, NULL, NULL);
    }
}

void charset_to_utf8(struct kanal_buffer *out, kanal_str bytes, const char *charset, const char *otherwise)
{
    if (bytes.len == 0)
        return;
    int says_ascii = !charset || g_ascii_strcasecmp(charset, "us-ascii") == 0 ||
                     g_ascii_strcasecmp(charset, "utf-8") == 0 || g_ascii_strcasecmp(charset, "utf8") == 0;
    if (says_ascii && kanal_str_utf8(bytes)) {
        append_clean(out, bytes.ptr, bytes.len);
        return;
    }
    iconv_t converter = open_converter(charset);
    if (converter == (iconv_t)-1 && kanal_str_utf8(bytes)) {
        append_clean(out, bytes.ptr, bytes.len);
        return;
    }
    if (converter == (iconv_t)-1 ||
        (says_ascii && g_ascii_strcasecmp(charset ? charset : "", "us-ascii") == 0)) {
        if (converter != (iconv_t)-1)
            iconv_close(converter);
        converter = open_converter(otherwise);
    }
    if (converter == (iconv_t)-1)
        converter = iconv_open("UTF-8", "UTF-8");
    if (converter == (iconv_t)-1)
        return;
    convert(out, bytes, converter);
    iconv_close(converter);
}
