# SPDX-License-Identifier: Apache-2.0
# gentap: `make help` lists the targets.

VERSION	:= 0.1.0
PREFIX	?= /usr/local
DESTDIR	?=
BUILD	?= build
# Make predefines cc.
ifeq ($(origin CC),default)
CC	:= gcc
endif
CLANG	?= clang
# Ubuntu's /usr/sbin/bpftool refuses to run on a kernel that is not its own.
BPFTOOL	?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
COMMIT	:= $(shell git rev-parse --short=12 HEAD 2>/dev/null)

PACKAGES := libbpf libcurl libcjson sqlite3 zlib libbrotlidec libzstd libnghttp2 libelf libcrypto capstone yaml-0.1

CFLAGS	?= -O2 -g
WARN	:= -Wall -Wextra -Werror
HARDEN	:= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection -fPIE
SAN	?=
ifneq ($(SAN),)
HARDEN	:= -fPIE
CFLAGS	:= -O1 -g -fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
# Only what needs the installed libraries asks pkg-config, so that `make deps` runs before they are there.
pkg	= $(shell pkg-config $(1) $(2) 2>/dev/null)
# -iquote, not -I: <limits.h> is the system's, "limits.h" is userspace/limits.h.
CPPFLAGS += -D_GNU_SOURCE -iquote userspace -iquote . -iquote $(BUILD)
ALL_CFLAGS = -std=gnu11 $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS) $(call pkg,--cflags,$(PACKAGES)) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
ifneq ($(SAN),)
ALL_LDFLAGS = -pie -fsanitize=$(SAN) $(LDFLAGS)
endif
LIBS	= $(call pkg,--libs,$(PACKAGES)) -lm -pthread

# --- the program -------------------------------------------------------------
# Layers in link order, upper first; tests of a layer link it and those below.
LAYERS	:= export llm conn source wire base
objects	= $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
layer_lib = $(BUILD)/lib$(1).a
LAYER_LIBS := $(foreach l,$(LAYERS),$(call layer_lib,$(l)))

.DEFAULT_GOAL := all
.PHONY: all
all: $(BUILD)/gentap

define layer_rule
$(call layer_lib,$(1)): $$(call objects,userspace/$(1))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(BUILD)/libpipeline.a: $(BUILD)/userspace/pipeline.o
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/libloader.a: $(call objects,loader)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/gentap: $(call objects,userspace/cli) $(BUILD)/libloader.a $(BUILD)/libpipeline.a $(LAYER_LIBS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/userspace/cli/%.o: CPPFLAGS += -DGENTAP_VERSION='"$(VERSION)"'
$(BUILD)/userspace/cli/version.o: CPPFLAGS += -DGENTAP_COMMIT='"$(COMMIT)"'
# Touched only when the commit is another one.
$(BUILD)/userspace/cli/version.o: $(BUILD)/commit
.PHONY: force
$(BUILD)/commit: force
	@mkdir -p $(@D)
	@echo "$(COMMIT)" | cmp -s - $@ || echo "$(COMMIT)" > $@
$(BUILD)/userspace/export/%.o: CPPFLAGS += -DGENTAP_VERSION='"$(VERSION)"'

# --- BPF ---------------------------------------------------------------------
# Debian's <asm/types.h> lies in a folder by its own name for the machine, which gcc's
# -dumpmachine gives and clang's (x86_64-pc-linux-gnu) does not.
BPF_CFLAGS := -O2 -g -target bpf -D__TARGET_ARCH_x86 -Wall -Wextra -Werror -Wno-unused-parameter -I. \
	-idirafter /usr/include/$(shell uname -m)-linux-gnu
# state.bpf.c defines the shared maps: libbpf 1.1's linker wants it before its users.
BPF_SOURCES := bpf/state.bpf.c $(filter-out bpf/state.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJECTS := $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.bpf.o,$(BPF_SOURCES))

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bpf/gentap.linked.o: $(BPF_OBJECTS)
	@$(BPFTOOL) gen object $@ $(BPF_OBJECTS)

$(BUILD)/bpf/gentap.skel.h: $(BUILD)/bpf/gentap.linked.o
	@$(BPFTOOL) gen skeleton $< name gentap_bpf > $@.tmp && mv $@.tmp $@

# The skeleton must be there before the first compile of who includes it; after
# that the dependency files know.
$(call objects,loader): | $(BUILD)/bpf/gentap.skel.h

# --- tests -------------------------------------------------------------------
UNIT_SOURCES := $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES))
below	= $(if $(filter $(1),pipeline),$(BUILD)/libpipeline.a $(LAYER_LIBS),$(if $(filter $(1),loader),$(BUILD)/libloader.a $(LAYER_LIBS),$(if $(filter $(1),cli),$(filter-out %/main.o,$(call objects,userspace/cli)) $(BUILD)/libloader.a $(BUILD)/libpipeline.a $(LAYER_LIBS),$(foreach l,$(shell echo $(LAYERS) | tr ' ' '\n' | sed -n '/^$(1)$$/,$$p'),$(call layer_lib,$(l))))))

define unit_rule
$(BUILD)/$(1): $(BUILD)/$(1).o $(call below,$(notdir $(patsubst %/,%,$(dir $(1)))))
	@echo "  LINK    $$@"
	@$$(CC) -no-pie $(if $(SAN),-fsanitize=$(SAN)) -o $$@ $$^ $$(LIBS) $$(call pkg,--libs,libbrotlienc) -lcriterion
endef
$(foreach t,$(patsubst %.c,%,$(UNIT_SOURCES)),$(eval $(call unit_rule,$(t))))

# The cases' runner, too: it links everything, so that a change elsewhere may break its build.
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) cases

# Golden cases: their runner is the whole pipeline, and encoders that only it needs.
CASE_RUNNER := $(BUILD)/tests/cases/run

$(CASE_RUNNER): $(call objects,tests/cases) $(BUILD)/libpipeline.a $(LAYER_LIBS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(call pkg,--libs,libbrotlienc)

# The same cases while memory is short. Its malloc is its own, which a sanitizer's build cannot have.
STARVER := $(BUILD)/tests/starve/starve

$(STARVER): $(call objects,tests/starve) $(filter-out %/run.o,$(call objects,tests/cases)) $(BUILD)/libpipeline.a $(LAYER_LIBS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(call pkg,--libs,libbrotlienc)

.PHONY: cases
cases: $(CASE_RUNNER) $(if $(SAN),,$(STARVER))

# --- fuzzing -----------------------------------------------------------------
# Everything below is built anew with clang's coverage and sanitizers, in a folder of its own.
FUZZ_SECONDS ?= 60
FUZZ_SAN := address,undefined,fuzzer-no-link
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

$(FUZZERS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libpipeline.a $(LAYER_LIBS)
	@echo "  LINK    $@"
	@$(CC) -fsanitize=address,undefined,fuzzer -o $@ $^ $(LIBS)

.PHONY: fuzzers fuzz
fuzzers: $(FUZZERS)

fuzz: deps
	@$(MAKE) --no-print-directory all cases
	@python3 tools/fuzz.py $(BUILD) $(FUZZ_SECONDS)

# --- checks ------------------------------------------------------------------
# Each unit test runs in a process of its own; Criterion's closing lines are
# summed up by tools/sum_tests.py, which prints the one line for the whole suite.
SANITIZED := $(BUILD)/sanitized
LIVE ?= tests/live/run.py

.PHONY: check check-unit check-cases check-sanitized check-lint check-live check-vllm
check: deps
	@$(MAKE) --no-print-directory all unit-tests cases $(BUILD)/tools/dialects
	@python3 tools/check.py $(BUILD)

# Parts of it, for those who write code.
check-unit: unit-tests
	@python3 tools/check.py $(BUILD) unit

check-cases: all cases $(BUILD)/tools/dialects
	@python3 tools/check.py $(BUILD) cases

check-sanitized:
	@python3 tools/check.py $(BUILD) sanitized

check-lint: all $(BUILD)/tools/dialects
	@python3 tools/check.py $(BUILD) lint

check-live: all
	@python3 tools/check.py $(BUILD) live

check-vllm: deps
	@$(MAKE) --no-print-directory all
	@tools/vllm/install.sh
	@python3 tools/vllm/check.py $(BUILD)/gentap

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)

BENCH := $(patsubst tools/bench/%.c,$(BUILD)/bench/%,$(filter-out %.bpf.c,$(wildcard tools/bench/*.c)))

.PHONY: bench
bench: deps
	@$(MAKE) --no-print-directory all bench-programs
	@python3 tools/bench/bench.py $(BUILD)/gentap $(BUILD)/bench

# Those that run the pipeline itself.
PIPELINE_BENCH := $(BUILD)/bench/decode $(BUILD)/bench/live

.PHONY: bench-programs
bench-programs: $(BENCH) $(BUILD)/bench/naive.bpf.o $(PIPELINE_BENCH)

$(PIPELINE_BENCH): $(BUILD)/bench/%: $(BUILD)/tools/bench/pipeline/%.o $(BUILD)/tools/bench/pipeline/traffic.o $(BUILD)/libpipeline.a $(LAYER_LIBS)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(call pkg,--libs,libbrotlienc)

$(BENCH): $(BUILD)/bench/%: tools/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(HARDEN) $(CFLAGS) -pie -MMD -MP -MF $@.d -MT $@ -o $@ $< $(call pkg,--libs,openssl libbpf)

$(BUILD)/bench/%.bpf.o: tools/bench/%.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# --- documents ----------------------------------------------------------------
$(BUILD)/tools/dialects: $(BUILD)/tools/dialects.o $(LAYER_LIBS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: readme
readme: $(BUILD)/tools/dialects
	@python3 tools/readme.py $(BUILD)

# --- setting up and installing -----------------------------------------------
.PHONY: deps
deps:
	@tools/deps.sh

.PHONY: install uninstall
install: all
	install -D -m 755 $(BUILD)/gentap $(DESTDIR)$(PREFIX)/bin/gentap
	install -D -m 644 userspace/cli/gentap.1 $(DESTDIR)$(PREFIX)/share/man/man1/gentap.1
	install -D -m 644 userspace/cli/gentap.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gentap

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/gentap $(DESTDIR)$(PREFIX)/share/man/man1/gentap.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/gentap

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@echo "make               build $(BUILD)/gentap"
	@echo "make deps          install what the build and the tests need (Debian, Ubuntu, Fedora)"
	@echo "make demo          see it work: a FastAPI service, a model server, gentap attached to the running service"
	@echo "make check         every test: lint, unit and live, plain and sanitized (needs root for the live ones)"
	@echo "make check-unit | check-cases | check-sanitized | check-lint | check-live"
	@echo "make check-vllm    against a real vLLM server (downloads about 1 GB, needs 3 GB of disk)"
	@echo "make fuzz          fuzzes every decoder and the pipeline for FUZZ_SECONDS (60) in all"
	@echo "make bench         what gentap costs, as paired differences in one run"
	@echo "make readme        writes the table of dialects into README.md"
	@echo "make install       to PREFIX (/usr/local), under DESTDIR; make uninstall takes it away"
	@echo "make clean"

# Not those of a sanitized build below this one.
-include $(shell find $(BUILD) -path $(BUILD)/sanitized -prune -o -name '*.d' -print 2>/dev/null)
