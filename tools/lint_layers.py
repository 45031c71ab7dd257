#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that no file includes a header of a layer above its own, that every
file says its licence, and that no function outgrows a screen by far.

usage: lint_layers.py [--self-test]   prints one line per finding; exits 1 if any
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# May be included by a file of the layer: itself and what stands left of it.
ORDER = ["base", "wire", "source", "conn", "llm", "trace", "export", "pipeline", "cli"]
FILE_LINES = 700
FUNCTION_LINES = 90
LICENCES = {"bpf": "GPL-2.0 OR BSD-2-Clause"}
BPF_LICENCE = LICENCES["bpf"]
SHARED = {"loader/tls_op.h": BPF_LICENCE, "tools/bench/naive.bpf.c": BPF_LICENCE}  # run in the kernel, too
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def layer_of(path):
    """The layer of a repository path, or of an include path."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] == "userspace":
        parts = parts[1:]
    while parts and parts[0] == "..":
        parts = parts[1:]
    if parts[0] in ("pipeline.h", "pipeline.c"):
        return "pipeline"
    return parts[0] if len(parts) > 1 else None


def allowed(layer, included):
    if included is None:  # limits.h and the like: no layer, no includes of their own
        return True
    if included == "bpf":  # the ABI, or the generated skeleton
        return layer in ("bpf", "loader", "source", "conn", "export", "cli", "pipeline", "llm")
    if layer == "bpf":
        return included in ("bpf", "loader")  # loader/tls_op.h
    if layer == "loader":  # beside the collector: events and base only
        return included in ("loader", "source", "base")
    if included == "loader":
        return layer == "cli"
    if layer not in ORDER or included not in ORDER:
        return False
    return ORDER.index(included) <= ORDER.index(layer)


def lint_includes(name, text):
    layer = layer_of(name)
    for include in INCLUDE.findall(text):
        if layer and not allowed(layer, layer_of(include)):
            yield f"{name}: layer '{layer}' must not include '{include}'"


def lint_licence(name, text):
    want = SHARED.get(name) or LICENCES.get(name.split("/")[0], "Apache-2.0")
    if f"SPDX-License-Identifier: {want}" not in "\n".join(text.splitlines()[:3]):
        yield f"{name}: does not say 'SPDX-License-Identifier: {want}' at its top"


def lint_length(name, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{name}: {len(lines)} lines, more than {FILE_LINES}"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > FUNCTION_LINES:
                yield f"{name}:{start}: a function of {number - start} lines, more than {FUNCTION_LINES}"
            start = None


def sources():
    for top in ("bpf", "loader", "userspace", "tests", "tools"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".sh", ".mjs") and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def self_test():
    """The lint can fail: each rule finds its own bad example."""
    bad = [
        list(lint_includes("userspace/wire/x.c", '#include "conn/conn.h"\n')),
        list(lint_includes("loader/x.c", '#include "llm/call.h"\n')),
        list(lint_includes("userspace/base/x.c", '#include "wire/sse.h"\n')),
        list(lint_licence("bpf/x.c", "/* SPDX-License-Identifier: Apache-2.0 */\n")),
        list(lint_length("x.c", "{\n" + "\tx;\n" * 100 + "}\n")),
    ]
    good = list(lint_includes("userspace/export/x.c", '#include "llm/call.h"\n#include "base/buf.h"\n'))
    assert all(bad) and not good, (bad, good)


def main():
    self_test()
    findings = []
    for name, text in sources():
        findings += lint_licence(name, text)
        if name.endswith((".c", ".h")):
            findings += lint_length(name, text)
            if not name.startswith(("tests/", "tools/")):
                findings += lint_includes(name, text)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
