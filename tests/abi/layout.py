#!/usr/bin/env python3
"""layout.py [--missing-from FILE]... [--file NAME.c] INCLUDE_DIR HEADER... - prints _Static_asserts for every type, offset, size and
constant of the headers.

Used once for each minor of the ABI, and for each new extension: layout_1_0.c holds its output for 1.0 and is never edited. For 1.1 the
lines that are missing from all files before it go into layout_1_1.c. A struct that may grow (its first member is struct_size) is
held to its least size, so that a later minor does not break an older one's file.

  --missing-from FILE   print only lines that no such file has; exit code 1 if there are any
  --file NAME.c         print a whole file, with the macros at its head"""
import argparse
import os
import re
import subprocess
import sys
import tempfile


HEAD = r"""/* %(name)s - printed by layout.py, never edited. If this file does not compile, plugins that are already built would break. 64-bit
 * platforms. */
/* clang-format off */
%(includes)s

#define CONSTANT(name, value) _Static_assert((name) == (value), #name " was renumbered")
#define SAME_TEXT(name, text) _Static_assert(sizeof(name) == sizeof(text) && __builtin_strcmp(name, text) == 0, #name " was renamed")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is frozen")
#define LEAST_SIZE(type, size) _Static_assert(sizeof(type) >= (size), #type " shrank")
#define SAME_TYPE(a, ...) _Static_assert(__builtin_types_compatible_p(a, __VA_ARGS__), #a " has another type")
#define MEMBER(type, member, offset, ...)                                                                              \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " moved");                                    \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->member), __VA_ARGS__),                         \
                   #type "." #member " has another type")"""


def strip_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def constants(text):
    names = re.findall(r"^#define (KANAL_\w+) +(\S.*)$", text, flags=re.M)
    for name, value in names:
        if value.startswith("__attribute__") or name == "KANAL_ABI_MINOR":
            continue
        yield name, value.startswith('"')
    for body in re.findall(r"\benum\s*\{(.*?)\}", text, flags=re.S):
        for item in body.split(","):
            name = item.split("=")[0].strip()
            if name:
                yield name, False


def members(body):
    """(name, type) of each member; a function pointer's type has no names of its own."""
    for declaration in body.split(";"):
        declaration = squeeze(declaration)
        if not declaration:
            continue
        function = re.match(r"(.*?)\(\*(\w+)\)(\(.*\))$", declaration)
        if function:
            yield function[2], f"{function[1]}(*){function[3]}"
            continue
        first, *others = declaration.split(",")
        match = re.match(r"(.*?)(\w+)$", first)
        kind = match[1].strip()
        yield match[2], kind
        for other in others:
            yield other.strip(), kind


def structs(text):
    for match in re.finditer(r"struct (kanal_\w+)\s*\{(.*?)\n\}", text, flags=re.S):
        yield match[1], list(members(match[2]))


def evaluate(include, headers, expressions):
    """The values of C expressions, by asking the compiler."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "ask.c")
        with open(source, "w") as out:
            for header in headers:
                out.write(f'#include "{header}"\n')
            out.write("#include <stdio.h>\nint main(void) {\n")
            for expression in expressions:
                out.write(f'printf("%lld\\n", (long long)({expression}));\n')
            out.write("}\n")
        program = os.path.join(folder, "ask")
        subprocess.run(["cc", f"-I{include}", source, "-o", program], check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()


def assertions(include, headers):
    lines = []  # (text with {} for the number, expression or None)
    for header in headers:
        text = strip_comments(open(os.path.join(include, header)).read())
        lines.append((f"\n/* {header} */", None))
        for name, is_text in constants(text):
            if is_text:
                literal = re.search(rf"^#define {name} +(\".*?\")", text, flags=re.M)[1]
                lines.append((f"SAME_TEXT({name}, {literal});", None))
            else:
                lines.append((f"CONSTANT({name}, {{}});", name))
        for name, prototype in re.findall(r"^typedef (?!struct)(\w[\w ]*\*?) ?(kanal_\w+);", text, flags=re.M):
            lines.append((f"SAME_TYPE({prototype}, {squeeze(name)});", None))
        for kind, name, arguments in re.findall(r"^typedef (\w+) (kanal_\w+_fn)(\(.*?\));", text, flags=re.M | re.S):
            lines.append((f"SAME_TYPE({name}, {kind}{squeeze(arguments)});", None))
        for name, parts in structs(text):
            size = "LEAST_SIZE" if parts[0][0] == "struct_size" else "SIZE"
            lines.append((f"{size}(struct {name}, {{}});", f"sizeof(struct {name})"))
            for member, kind in parts:
                lines.append((f"MEMBER(struct {name}, {member}, {{}}, {kind});", f"offsetof(struct {name}, {member})"))
    numbers = evaluate(include, headers, [expression for _, expression in lines if expression])
    return [text.format(numbers.pop(0)) if expression else text for text, expression in lines]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--missing-from", action="append", default=[])
    arguments.add_argument("--file")
    arguments.add_argument("include")
    arguments.add_argument("headers", nargs="+")
    given = arguments.parse_args()
    known = {line.strip() for path in given.missing_from for line in open(path)}
    lines = [line for line in assertions(given.include, given.headers) if line.strip() not in known]
    missing = [line for line in lines if not line.startswith("\n/*")]
    if given.file:
        print(HEAD % {"name": given.file, "includes": "\n".join(f'#include "{header}"' for header in given.headers)})
    if missing or not given.missing_from:
        print("\n".join(lines))
    sys.exit(1 if given.missing_from and missing else 0)


main()
