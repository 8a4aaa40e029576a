#!/usr/bin/env python3
"""Makes the widget's sources one C array: embed.py OUT.c NAME FILE...

The files are joined as they are, so they must be in an order in which each `const` stands before the code that runs
first, which is the call that the plugin appends. Lines that hold only a comment are dropped, the licence line is added.
Text of more than 4095 bytes may not stand in one string literal (C11, 5.2.4.1), so bytes are written as numbers."""
import sys


def source(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip() for line in file]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("//")]


def main(out, name, *paths):
    lines = ["// Kanal web chat. SPDX-License-Identifier: Apache-2.0"]
    for path in paths:
        lines += source(path)
    body = ("\n".join(lines) + "\n").encode("utf-8")
    with open(out, "w", encoding="ascii") as file:
        file.write("/* Made by embed.py. */\n#include <stddef.h>\n")
        file.write("extern const unsigned char %s[];\nextern const size_t %s_len;\n" % (name, name))
        file.write("const unsigned char %s[] = {\n" % name)
        for at in range(0, len(body), 20):
            file.write("    %s,\n" % ", ".join(str(byte) for byte in body[at:at + 20]))
        file.write("};\nconst size_t %s_len = sizeof %s;\n" % (name, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
