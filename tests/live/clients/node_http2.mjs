// SPDX-License-Identifier: Apache-2.0
// The API by hand with Node's http2, four streams at a time on one session. Same
// protocol as client.py; GT_WARM as in httpx_http2.py.

import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { createInterface } from 'node:readline';

import { addBody, addLines, headers, newReport, now } from './report.mjs';

function make(session, prefix, call) {
	return new Promise((resolve) => {
		const report = newReport();
		const stream = session.request({ ':method': 'POST', ':path': `${prefix}/${call.path}`, ...headers });
		let status = 0;
		let text = '';

		stream.setEncoding('utf8');
		stream.on('response', (head) => { status = head[':status']; });
		stream.on('data', (part) => {
			text += part;
			if (call.body.stream && status === 200)
				text = addLines(report, text);
		});
		stream.on('error', (error) => { report.error = String(error); });
		stream.on('close', () => {
			if (text && !report.error)
				addBody(report, JSON.parse(text));
			report.ended = now();
			resolve(report);
		});
		stream.end(JSON.stringify(call.body));
	});
}

const [base, planFile] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8'));
const warm = Number(process.env.GT_WARM ?? 0);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log('READY');
await input.next();
const url = new URL(base);
const session = connect(url.origin, { ca: readFileSync(process.env.SSL_CERT_FILE) });
for (const part of [plan.slice(0, warm), plan.slice(warm)]) {
	const reports = [];
	for (let at = 0; at < part.length; at += 4)
		reports.push(...await Promise.all(part.slice(at, at + 4).map((call) => make(session, url.pathname, call))));
	if (!part.length)
		continue;
	console.log(JSON.stringify(reports));
	await input.next();
}
process.exit(0);
