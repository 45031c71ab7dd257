// SPDX-License-Identifier: Apache-2.0
// Node's http2 in the server role: each request goes on to the model server, over
// HTTP/1.1, and its answer comes back as it comes.
//
// usage: node_http2_server.mjs UPSTREAM_PORT [CERT KEY]
// Says "READY <port>" on stdout; ends on SIGTERM.

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createSecureServer, createServer } from 'node:http2';

const [upstream, cert, key] = process.argv.slice(2);
const passed = ['content-type', 'x-request-id', 'set-cookie', 'content-encoding'];

function onStream(stream, head) {
	const forward = request({ host: '127.0.0.1', port: Number(upstream), method: head[':method'],
		path: head[':path'], headers: { 'content-type': 'application/json' } }, (answer) => {
		const fields = passed.filter((name) => answer.headers[name]).map((name) => [name, answer.headers[name]]);
		stream.respond({ ':status': answer.statusCode, ...Object.fromEntries(fields) });
		answer.pipe(stream);
	});
	stream.on('error', () => forward.destroy());
	forward.on('error', () => stream.close());
	stream.pipe(forward);
}

const server = cert ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }) : createServer();
server.on('stream', onStream);
server.listen(0, '127.0.0.1', () => console.log('READY', server.address().port));
process.on('SIGTERM', () => process.exit(0));
