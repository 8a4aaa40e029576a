/* handoff/qr.h - a link as a QR code (ISO/IEC 18004, by libqrencode), error correction M, with the quiet zone of four modules. [any thread]
 *
 * Appended to out. 0; KANAL_E_TOO_LARGE: more than a code holds (2,331 bytes); KANAL_E_INTERNAL: out of memory. out is as it was if it fails. */
#ifndef KANAL_HANDOFF_QR_H
#define KANAL_HANDOFF_QR_H
#include "kanal/sdk/buffer.h"

/* An SVG document of one module a unit, without a size of its own. */
int qr_svg(kanal_str text, struct kanal_buffer *out);
/* A PNG of 8 pixels a module, black on white, one bit a pixel. */
int qr_png(kanal_str text, struct kanal_buffer *out);
/* Lines of half blocks, black on white whatever the terminal's colours are (ECMA-48). */
int qr_terminal(kanal_str text, struct kanal_buffer *out);

#endif
