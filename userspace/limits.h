/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every maximum of the collector, in one place. Bytes unless the name says
 * otherwise. Reaching one is counted and marks the generation concerned; it is
 * never an error of the program.
 */
#ifndef GENTAP_LIMITS_H
#define GENTAP_LIMITS_H

#define KiB 1024ull
#define MiB (1024ull * KiB)

/* kernel */
#define LIMIT_RING			(4 * MiB)	/* power of two */
#define LIMIT_BACKLOG			(64 * MiB)	/* taken from the ring and not yet decoded */
#define LIMIT_CONTROL_RING		(256 * KiB)	/* power of two */
#define LIMIT_TARGETS			16384		/* processes */
#define LIMIT_KERNEL_CONNS		65536		/* of each kind, TLS and socket */

/* wire */
#define LIMIT_HTTP_HEAD			(64 * KiB)
#define LIMIT_HTTP_HEADERS		256		/* fields of one head */
#define LIMIT_CHUNK_LINE		(4 * KiB)
#define LIMIT_HTTP2_FRAME		(1 * MiB)	/* payload of one frame */
#define LIMIT_HPACK_TABLE		(64 * KiB)	/* HTTP/2's header table of one direction */
#define LIMIT_SSE_EVENT			(4 * MiB)
#define LIMIT_NDJSON_LINE		(4 * MiB)
#define LIMIT_JSON_ELEMENT		(4 * MiB)	/* of a streamed array; its depth: LIMIT_JSON_DEPTH */
#define LIMIT_EVENTSTREAM_HEADERS	(128 * KiB)	/* as AWS has it */
#define LIMIT_EVENTSTREAM_PAYLOAD	(4 * MiB)	/* AWS allows 24 MiB */
#define LIMIT_WEBSOCKET_MESSAGE		(4 * MiB)	/* decompressed */
#define LIMIT_FORM_HEAD			(8 * KiB)	/* of one part of a form */
#define LIMIT_FORM_FIELD		(1 * MiB)	/* value of a part that is no file */
#define LIMIT_BOUNDARY			70		/* RFC 2046 section 5.1.1 */
#define LIMIT_BOUNDARY_PADDING		64		/* spaces behind it */
#define LIMIT_MEDIA_TYPE		256		/* kept of the type of a body that is not */
#define LIMIT_CODINGS			3		/* content codings in a row */
#define LIMIT_CODING_NAME		32		/* of one that is not known, where it is named */
#define LIMIT_CODING_RATIO		1024ull		/* decoded : encoded, beyond the first MiB */
#define LIMIT_DECODED			(1024 * MiB)	/* of one compressed body */
#define LIMIT_ZSTD_WINDOW_LOG		23		/* 8 MiB, as RFC 9659 section 3 has it for HTTP */

/* source */
#define LIMIT_CAPTURE_RECORD		(64 * KiB)	/* one event in a .gtcap file */
#define LIMIT_CAPTURE_BLOCK		(256 * KiB)	/* records compressed together, before */
#define LIMIT_CAPTURE_HEADER		(4 * KiB)
#define LIMIT_SCRUB_KEPT		(64 * MiB)	/* unfinished heads, of all connections together */
#define LIMIT_CAPTURE_QUEUE		(64 * MiB)	/* events between pipeline and file */

/* conn */
#define LIMIT_CONNS			65536		/* live connections */
#define LIMIT_PIPELINED			64		/* requests waiting on one connection */
#define LIMIT_HTTP2_STREAMS		1024		/* open on one connection */
#define LIMIT_HTTP2_STATE		(128 * MiB)	/* header tables and the like, of all connections */
#define LIMIT_HTTP2_DOUBT_NS		(120ull * 1000000000ull) /* then a stream whose end may be lost is given up */
#define LIMIT_BODY			(4 * MiB)	/* decoded body kept of one message */
#define LIMIT_BODIES			(256 * MiB)	/* the same, of all connections together */
#define LIMIT_DECODERS			(512 * MiB)	/* memory of all that decompress, and of events not whole yet */
#define LIMIT_IDLE_NS			(600ull * 1000000000ull) /* then an idle connection is forgotten */

/* llm */
#define LIMIT_JSON_DEPTH		512		/* nested arrays and objects */
#define LIMIT_JSON_VALUES		(512 * KiB)	/* values of one text, in number */
#define LIMIT_JSON_SCRATCH		(64 * KiB)	/* memory of one event's tree, per thread */
#define LIMIT_BASE64			(1 * KiB)	/* longer ones in a request become a note */
#define LIMIT_CALLS			(512 * MiB)	/* texts and parsed requests of all calls under way */
#define LIMIT_PATH			(2 * KiB)	/* of a request's path, to tell the dialect and the model */
#define LIMIT_LANES			128		/* calls under way on one WebSocket, and steers */
#define LIMIT_SOCKET_ITEMS		256		/* of a Realtime conversation, as its responses' input */
#define LIMIT_SOCKET_ITEM		(16 * KiB)	/* each of them */
#define LIMIT_CHOICES			128
#define LIMIT_PARTS			256		/* of one choice, beside its text */
#define LIMIT_TOOL_CALLS		128		/* of one choice */
#define LIMIT_CHUNK_TIMES		65536		/* gaps kept for ITL percentiles of one call */
#define LIMIT_CONTENT			(256 * KiB)	/* default of --max-content */
#define LIMIT_CONTENT_MAX		(4 * MiB)	/* highest --max-content */
#define LIMIT_METADATA			(16 * KiB)	/* a request's own metadata and response format */
#define LIMIT_METADATA_KEYS		64		/* OTel allows a span 128 attributes in all */
#define LIMIT_ERROR_TEXT		(2 * KiB)
#define LIMIT_FACT			(2 * KiB)	/* of what a server tells of itself, each */

/* export */
#define LIMIT_QUEUE			(64 * MiB)	/* generations between pipeline and exporter */
#define LIMIT_BATCH_GENERATIONS		512
#define LIMIT_BATCH			(4 * MiB)	/* one request to Langfuse, before gzip */
#define LIMIT_BATCH_SINGLE		(64 * MiB)	/* the same, when one generation alone is longer */
#define LIMIT_MEMORY_OUTBOX		(16 * MiB)	/* what waits for Langfuse with no store to wait in */
#define LIMIT_STORE			(1024 * MiB)	/* then the oldest that were sent go */

#endif
