#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes stand-ins for the CUDA libraries that PyPI's torch is linked to.

On a machine without a GPU torch calls none of them, but the dynamic linker
wants every library to be there and, as Python loads with RTLD_NOW, every
symbol too, under the version tag that torch was linked with. So each stand-in
defines exactly the symbols that torch's own libraries import from it; a call of
any of them traps, it never returns a wrong answer.

usage: stand_ins.py TORCH_LIB_DIR OUT_DIR      (needs gcc, and nm of binutils)
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# Each library, and how the imports that carry no version tag of its own are
# told to be its: by the prefix of their names. An empty tuple means that all
# its symbols are tagged.
LIBRARIES = {
    "libcublas.so.13": (),
    "libcublasLt.so.13": (),
    "libcudnn.so.9": (),
    "libcufft.so.12": (),
    "libcufile.so.0": ("cuFile",),
    "libcurand.so.10": ("curand",),
    "libcusolver.so.12": ("cusolver",),
    "libcusparse.so.12": (),
    "libcusparseLt.so.0": ("cusparseLt",),
    "libnccl.so.2": ("nccl",),
    "libnvrtc.so.13": (),
    "libnvshmem_host.so.3": ("nvshmem",),
}
# A version tag is the library's own name, but for this one.
TAGS = {"NVSHMEM": "libnvshmem_host.so.3"}


def owner_of(name, tag):
    """The library to define `name` in, or None if it is not one of ours."""
    if tag:
        library = TAGS.get(tag, tag)
        return library if library in LIBRARIES else None
    for library, prefixes in LIBRARIES.items():
        if prefixes and name.startswith(prefixes):
            return library
    return None


def imports_of(torch_lib):
    """Yields (symbol, version tag or None) for all that torch's libraries import."""
    for path in sorted(torch_lib.glob("*.so*")):
        nm = subprocess.run(["nm", "-D", "--undefined-only", path],
                            capture_output=True, text=True, check=True)
        for line in nm.stdout.splitlines():
            match = re.match(r"\s*U (\w+)(?:@+(\S+))?$", line)
            if match:
                yield match.groups()


def build(library, symbols, out):
    """Compiles the stand-in for one library; `symbols` maps a name to its tag."""
    tags = {tag for tag in symbols.values() if tag}
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work, "stand_in.c")
        script = pathlib.Path(work, "versions")
        # A library without symbols is still wanted; C wants one declaration.
        source.write_text("int stand_in;\n" + "".join(
            f"void {name}(void) {{ __builtin_trap(); }}\n" for name in symbols))
        script.write_text("".join(f"{tag} {{ global: *; }};\n" for tag in tags))
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin",
                        f"-Wl,-soname,{library}", "-o", out / library, source,
                        *([f"-Wl,--version-script={script}"] if tags else [])],
                       check=True)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    torch_lib, out = map(pathlib.Path, sys.argv[1:])
    symbols = {library: {} for library in LIBRARIES}
    for name, tag in imports_of(torch_lib):
        library = owner_of(name, tag)
        if library:
            symbols[library][name] = tag
    out.mkdir(parents=True, exist_ok=True)
    for library in LIBRARIES:
        build(library, symbols[library], out)
    print(f"made {len(LIBRARIES)} stand-in libraries with "
          f"{sum(map(len, symbols.values()))} symbols")


if __name__ == "__main__":
    main()
