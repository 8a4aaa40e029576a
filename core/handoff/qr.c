/* Sources: ISO/IEC 18004 (quiet zone), W3C PNG (third edition), SVG 1.1. */
#include "handoff/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <zlib.h>

#include "kanal/sdk/str.h"

#define QUIET 4u /* modules */
#define SCALE 8u /* pixels a module of a PNG */

/* 0, and a code to be freed. */
static int encode(kanal_str text, QRcode **ret_code)
{
    if (text.len == 0 || text.len > INT32_MAX)
        return text.len == 0 ? KANAL_E_INVALID : KANAL_E_TOO_LARGE;
    QRcode *code = QRcode_encodeData((int)text.len, (const unsigned char *)text.ptr, 0, QR_ECLEVEL_M);
    if (!code)
        return errno == ERANGE ? KANAL_E_TOO_LARGE : KANAL_E_INTERNAL;
    *ret_code = code;
    return 0;
}

static uint32_t side_of(const QRcode *code)
{
    return (uint32_t)code->width + 2 * QUIET;
}

/* x and y with the quiet zone, and beyond it. */
static int is_dark(const QRcode *code, uint32_t x, uint32_t y)
{
    uint32_t width = (uint32_t)code->width;
    x -= QUIET, y -= QUIET; /* wraps to something large */
    return x < width && y < width && (code->data[y * width + x] & 1);
}

/* The end of one of them: keeps what was written, or nothing. */
static int finish(struct kanal_buffer *out, size_t begun, QRcode *code)
{
    QRcode_free(code);
    if (!out->failed)
        return 0;
    out->len = begun;
    return KANAL_E_INTERNAL;
}

/* ---- SVG ---- */

static void svg_run(struct kanal_buffer *out, uint32_t x, uint32_t y, uint32_t length)
{
    kanal_buffer_byte(out, 'M');
    kanal_buffer_uint(out, x);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_uint(out, y);
    kanal_buffer_byte(out, 'h');
    kanal_buffer_uint(out, length);
    kanal_buffer_text(out, "v1h-");
    kanal_buffer_uint(out, length);
    kanal_buffer_byte(out, 'z');
}

static void svg_row(const QRcode *code, uint32_t y, struct kanal_buffer *out)
{
    uint32_t length = 0, side = side_of(code);
    for (uint32_t x = 0; x < side; x++) {
        if (is_dark(code, x, y))
            length++;
        else if (length > 0)
            svg_run(out, x - length, y, length), length = 0;
    }
}

int qr_svg(kanal_str text, struct kanal_buffer *out)
{
    QRcode *code;
    size_t begun = out->len;
    int status = encode(text, &code);
    if (status != 0)
        return status;
    uint32_t side = side_of(code);
    kanal_buffer_text(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
    kanal_buffer_uint(out, side);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_uint(out, side);
    kanal_buffer_text(out, "\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 "
                           "0h999v999h-999z\"/><path fill=\"#000\" d=\"");
    for (uint32_t y = 0; y < side; y++)
        svg_row(code, y, out);
    kanal_buffer_text(out, "\"/></svg>\n");
    return finish(out, begun, code);
}

/* ---- PNG ---- */

static void png_number(struct kanal_buffer *out, uint32_t number)
{
    const unsigned char bytes[4] = { (unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                     (unsigned char)(number >> 8), (unsigned char)number };
    kanal_buffer_append(out, bytes, sizeof bytes);
}

static void png_chunk(struct kanal_buffer *out, const char *type, const void *bytes, size_t len)
{
    uLong crc = crc32(crc32(0, NULL, 0), (const Bytef *)type, 4);
    png_number(out, (uint32_t)len);
    kanal_buffer_text(out, type);
    kanal_buffer_append(out, bytes, len);
    png_number(out, (uint32_t)(len > 0 ? crc32(crc, bytes, (uInt)len) : crc));
}

/* One line of pixels: a filter of none, then a bit each, 1 white. */
static void png_line(const QRcode *code, uint32_t y, unsigned char *line)
{
    uint32_t pixels = side_of(code) * SCALE;
    line[0] = 0;
    memset(line + 1, 0, (pixels + 7) / 8);
    for (uint32_t x = 0; x < pixels; x++)
        if (!is_dark(code, x / SCALE, y / SCALE))
            line[1 + x / 8] |= (unsigned char)(0x80 >> x % 8);
}

/* The pixels, compressed; to be freed. NULL: no memory. */
static Bytef *png_pixels(const QRcode *code, uLongf *ret_len)
{
    uint32_t pixels = side_of(code) * SCALE;
    size_t line = 1 + (pixels + 7) / 8, bytes = line * pixels;
    unsigned char *raw = malloc(bytes);
    *ret_len = compressBound((uLong)bytes);
    Bytef *packed = malloc(*ret_len);
    for (uint32_t y = 0; raw && y < pixels; y++)
        png_line(code, y, raw + y * line);
    if (!raw || !packed || compress2(packed, ret_len, raw, (uLong)bytes, Z_BEST_COMPRESSION) != Z_OK) {
        free(packed);
        packed = NULL;
    }
    free(raw);
    return packed;
}

int qr_png(kanal_str text, struct kanal_buffer *out)
{
    static const unsigned char signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n' };
    QRcode *code;
    size_t begun = out->len;
    int status = encode(text, &code);
    if (status != 0)
        return status;
    uint32_t pixels = side_of(code) * SCALE;
    unsigned char header[13] = { 0 };
    for (int i = 0; i < 4; i++)
        header[i] = header[4 + i] = (unsigned char)(pixels >> (24 - 8 * i));
    header[8] = 1; /* a bit a pixel, of grey; compression, filter and interlace are 0 */
    uLongf len = 0;
    Bytef *packed = png_pixels(code, &len);
    kanal_buffer_append(out, signature, sizeof signature);
    png_chunk(out, "IHDR", header, sizeof header);
    png_chunk(out, "IDAT", packed, packed ? len : 0);
    png_chunk(out, "IEND", NULL, 0);
    status = finish(out, begun, code);
    if (!packed)
        out->len = begun;
    free(packed);
    return packed ? status : KANAL_E_INTERNAL;
}

/* ---- Terminal ---- */

int qr_terminal(kanal_str text, struct kanal_buffer *out)
{
    static const char *const blocks[] = { " ", "\xE2\x96\x84", "\xE2\x96\x80", "\xE2\x96\x88" };
    QRcode *code;
    size_t begun = out->len;
    int status = encode(text, &code);
    if (status != 0)
        return status;
    uint32_t side = side_of(code);
    for (uint32_t y = 0; y < side; y += 2) {
        kanal_buffer_text(out, "\x1B[30;107m");
        for (uint32_t x = 0; x < side; x++)
            kanal_buffer_text(out, blocks[2 * is_dark(code, x, y) + is_dark(code, x, y + 1)]);
        kanal_buffer_text(out, "\x1B[0m\n");
    }
    return finish(out, begun, code);
}
