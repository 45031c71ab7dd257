// SPDX-License-Identifier: Apache-2.0
// A server in front of another: passes requests on and answers on, compressed by
// Node's zlib with a flush for each piece. The request's x-coding says how.
// Says "PORT CODING,..." on stdout; ends with its stdin.

import { createServer, request } from 'node:http';
import zlib from 'node:zlib';

const coders = {
	gzip: () => zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
	deflate: () => zlib.createDeflate({ flush: zlib.constants.Z_SYNC_FLUSH }),
	raw: () => zlib.createDeflateRaw({ flush: zlib.constants.Z_SYNC_FLUSH }),
	br: () => zlib.createBrotliCompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
};
if (zlib.createZstdCompress)
	coders.zstd = () => zlib.createZstdCompress({ flush: zlib.constants.ZSTD_e_flush });

const upstream = new URL(process.argv[2]);

const server = createServer((incoming, outgoing) => {
	const coding = incoming.headers['x-coding'];
	const headers = { ...incoming.headers, 'accept-encoding': 'identity' };
	const onward = request({ host: upstream.hostname, port: upstream.port, path: incoming.url,
		method: incoming.method, headers }, (answer) => {
		const { 'content-length': length, 'transfer-encoding': chunked, ...rest } = answer.headers;
		const coder = coders[coding]();

		outgoing.writeHead(answer.statusCode,
			{ ...rest, 'content-encoding': coding === 'raw' ? 'deflate' : coding });
		answer.pipe(coder).pipe(outgoing);
	});

	incoming.pipe(onward);
});

server.listen(0, '127.0.0.1', () => console.log(`${server.address().port} ${Object.keys(coders)}`));
process.stdin.on('end', () => process.exit(0)).resume();
