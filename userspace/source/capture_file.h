/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of a .gtcap file: what the kernel's ring carried, and what is
 * needed to replay it on another machine. Only the format; capture_writer.h
 * writes it, replay_source.h reads it.
 *
 *	file	:= preamble, header, CRC-32 of both, block*
 *	block	:= struct capture_block, one zstd frame of stored_len bytes
 *	frame	:= record*, never cut by the end of its block
 *	record	:= struct capture_record, payload, zeros to a multiple of 8
 *
 * All numbers are little-endian, all texts NUL-terminated. A block is written
 * with one write(2), so that what was recorded before a crash is whole up to the
 * last block. Checksums are zlib's crc32: a record's covers its first 8 bytes
 * and its payload, a block's its first 12 bytes.
 *
 * Compatibility: a reader refuses another major version. A newer minor may make
 * the header longer and add types of records; both are passed over.
 */
#ifndef GENTAP_SOURCE_CAPTURE_FILE_H
#define GENTAP_SOURCE_CAPTURE_FILE_H

#include "../../bpf/gentap.h"
#include "base/loss.h"
#include "base/slice.h"
#include "limits.h"

#define CAPTURE_MAGIC		"\x89GTCAP\r\n"	/* not text, and broken by who takes it for text */
#define CAPTURE_BLOCK_MAGIC	0x4b425447u	/* "GTBK" */
#define CAPTURE_TEXT_MAX	1024		/* of a target */

enum { CAPTURE_MAJOR = 1, CAPTURE_MINOR = 0 };

struct capture_preamble {
	char magic[8];		/* CAPTURE_MAGIC */
	uint16_t major, minor;
	uint32_t header_len;	/* bytes between the preamble and the CRC */
};

enum capture_flags {
	CAPTURE_SCRUBBED	= 1 << 0,
};

struct capture_header {
	uint64_t realtime_offset_ns;	/* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	uint64_t start_ns;		/* CLOCK_MONOTONIC */
	uint32_t flags;			/* enum capture_flags */
	uint32_t _pad;
	char boot_id[40];
	char gentap[32];		/* version that recorded */
	char kernel[72];		/* release, as uname(2) has it */
	char environment[48];		/* settings of the recording; "" unset */
	char release[256];
};

struct capture_block {
	uint32_t magic;		/* CAPTURE_BLOCK_MAGIC */
	uint32_t stored_len;	/* of the frame that follows */
	uint32_t raw_len;	/* of its content; at most LIMIT_CAPTURE_BLOCK */
	uint32_t crc;
};

enum capture_record_type {
	CAPTURE_EVENT = 1,	/* one struct gt_*_event, for the pipeline, in order */
	CAPTURE_CONTROL,	/* struct gt_process_event: what the loader was told; not for the pipeline */
	CAPTURE_TARGET,		/* struct capture_target and its text */
	CAPTURE_LOSSES,		/* struct capture_loss[]: totals so far, each replaces the last of its name */
	CAPTURE_END,		/* struct capture_end: the recording was ended, not cut */
};

struct capture_record {
	uint32_t len;		/* of the payload; at most LIMIT_CAPTURE_RECORD */
	uint16_t type;		/* enum capture_record_type */
	uint16_t _pad;
	uint32_t crc;
	uint32_t _pad2;
};

/* A process was attached. */
struct capture_target {
	uint64_t time_ns;
	uint32_t pid;
	uint32_t _pad;
	char comm[GT_COMM_BYTES];
	char text[];		/* "4242 uvicorn (python3.11): openssl libssl.so.3, sockets" */
};

/* By name, so that a reader of another version does not mix them up. */
struct capture_loss {
	uint64_t count;
	char name[24];
};

struct capture_end {
	uint64_t time_ns;	/* what was in flight ended here */
};

#define CAPTURE_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "capture format: " #type " changed size")
CAPTURE_ASSERT_SIZE(capture_preamble, 16);
CAPTURE_ASSERT_SIZE(capture_header, 472);
CAPTURE_ASSERT_SIZE(capture_block, 16);
CAPTURE_ASSERT_SIZE(capture_record, 16);
CAPTURE_ASSERT_SIZE(capture_target, 32);
CAPTURE_ASSERT_SIZE(capture_loss, 32);
CAPTURE_ASSERT_SIZE(capture_end, 8);
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the format");

/* Of a record with its header and padding, in its block. */
static inline size_t capture_record_size(size_t len)
{
	return sizeof(struct capture_record) + ((len + 7) & ~(size_t)7);
}

uint32_t capture_crc(uint32_t crc, const void *bytes, size_t len);
uint32_t capture_block_crc(const struct capture_block *block);
uint32_t capture_record_crc(const struct capture_record *record, const void *payload);

/* Bytes of an event, from its type; 0 for a type that is none. A data event's
 * captured_len must be sound. */
size_t capture_event_size(const struct gt_event *event);

/* Whether these bytes, which anybody may have written, are one event, whole, that
 * a pipeline may be given. They must be aligned to 8. */
bool capture_event_is_sound(struct slice bytes);

/* The name of a kernel loss, as in GT_LOSSES. */
const char *capture_kernel_loss_name(enum gt_loss loss);

#endif
