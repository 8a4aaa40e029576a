#!/usr/bin/env python3
"""Validates Kanal events in Python. Debian: apt install python3-jsonschema; elsewhere: pip install 'jsonschema>=4.10'

python3 validate.py event.json …        one document a file
kanal tail --json | python3 validate.py one event a line
"""
import json
import pathlib
import re
import sys

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).parent.parent / "kanal.schema.json").read_text(encoding="utf-8"))
FORMATS = jsonschema.FormatChecker()  # checks few formats unless further packages are installed; these are enough here


@FORMATS.checks("date-time")
def is_time(value):
    pattern = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    return not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is not None


@FORMATS.checks("uri")
def is_uri(value):
    return not isinstance(value, str) or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", value) is not None


VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=FORMATS)


def pointer(error):
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in error.absolute_path)
    return "".join("/" + part for part in parts) or "(whole document)"


def check(name, text):
    try:
        errors = [f"{pointer(e)}: {e.message}" for e in VALIDATOR.iter_errors(json.loads(text))]
    except ValueError as e:
        errors = [f"(whole document): {e}"]
    print(f"{name}: {'invalid' if errors else 'valid'}")
    for error in errors:
        print("  " + error)
    return not errors


def documents():
    for name in sys.argv[1:]:
        yield name, pathlib.Path(name).read_text(encoding="utf-8")
    if len(sys.argv) == 1:
        for number, line in enumerate(sys.stdin, 1):
            if line.strip():
                yield f"line {number}", line


if __name__ == "__main__":
    sys.exit(0 if all([check(name, text) for name, text in documents()]) else 1)
