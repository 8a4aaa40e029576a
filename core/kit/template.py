#!/usr/bin/env python3
"""template.py OUTPUT.c FOLDER FILE... - the files as C arrays, in a table; those that are executable stay so."""
import os
import sys

output, folder, *files = sys.argv[1:]
with open(output + ".new", "w") as out:
    out.write('/* Made by core/kit/template.py. */\n#include "kit/template.h"\n')
    for number, path in enumerate(files):
        data = open(path, "rb").read()
        body = ",".join(str(byte) for byte in data + b"\0")
        out.write(f"static const unsigned char file_{number}[] = {{{body}}};\n")
    out.write("const struct template_file template_files[] = {\n")
    for number, path in enumerate(files):
        name = os.path.relpath(path, folder)
        name = ".gitignore" if name == "gitignore" else name
        mode = "0755" if os.access(path, os.X_OK) else "0644"
        out.write(f'    {{ "{name}", file_{number}, sizeof file_{number} - 1, {mode} }},\n')
    out.write("    { 0 },\n};\n")
os.replace(output + ".new", output)
