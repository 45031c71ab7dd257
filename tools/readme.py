#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the README's table of dialects what the program's table says.

usage: readme.py BUILD [--check]     writes the table, or says whether it is right
"""
import pathlib
import re
import subprocess
import sys

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- dialects: by make readme -->\n).*?(<!-- end of dialects -->)", re.S)


def main():
    table = subprocess.run([pathlib.Path(sys.argv[1]) / "tools/dialects"], check=True, capture_output=True, text=True).stdout
    text = README.read_text()
    made, count = BLOCK.subn(lambda found: found[1] + table + found[2], text)
    if count != 1:
        sys.exit("readme: README.md has no place for the table of dialects")
    if "--check" not in sys.argv:
        README.write_text(made)
        return 0
    if made != text:
        print("readme: the table of dialects in README.md is not the program's: run `make readme`")
    return int(made != text)


if __name__ == "__main__":
    sys.exit(main())
