// SPDX-License-Identifier: Apache-2.0
// The API by hand with Node's global fetch (undici, OpenSSL inside the binary).
// Same protocol as client.py, whose report it imitates for streams and bodies.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { addBody, addLines, headers, newReport, now } from './report.mjs';

async function addStream(report, response) {
	let rest = '';
	for await (const text of response.body.pipeThrough(new TextDecoderStream()))
		rest = addLines(report, rest + text);
}

async function make(base, call) {
	const report = newReport();
	try {
		const response = await fetch(`${base}/${call.path}`,
			{ method: 'POST', headers, body: JSON.stringify(call.body) });
		if (call.body.stream && response.ok)
			await addStream(report, response);
		else
			addBody(report, await response.json());
	} catch (error) {
		report.error = String(error);
	}
	report.ended = now();
	return report;
}

const [base, planFile] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8'));
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log('READY');
await input.next();
const reports = [];
for (let at = 0; at < plan.length; at += 4)
	reports.push(...await Promise.all(plan.slice(at, at + 4).map((call) => make(base, call))));
console.log(JSON.stringify(reports));
await input.next();
process.exit(0);
