// SPDX-License-Identifier: Apache-2.0
// The API by hand with Node's global fetch (undici, OpenSSL inside the binary).
// Same protocol as client.py, whose report it imitates for streams and bodies.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const headers = {
	'content-type': 'application/json', 'authorization': 'Bearer GTCANARY-key',
	'x-api-key': 'GTCANARY-xkey', 'cookie': 'session=GTCANARY-cookie',
};
const now = () => Number(process.hrtime.bigint());

function addEvent(report, event) {
	report.id = event.id || report.id;
	report.model = event.model || report.model;
	report.usage = event.usage || report.usage;
	for (const choice of event.choices || []) {
		const message = choice.delta || choice.message || { content: choice.text };
		if (message.content || message.tool_calls)
			report.first ??= now();
		if (choice.index !== 0)
			continue;
		report.text += message.content || '';
		report.finish = choice.finish_reason || report.finish;
		(message.tool_calls || []).forEach((part, position) => {
			const tool = report.tools[part.index ?? position] ??= [part.id, part.function.name, ''];
			tool[2] += part.function.arguments || '';
		});
	}
}

async function addStream(report, response) {
	let rest = '';
	for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
		const lines = (rest + text).split('\n');
		rest = lines.pop();
		for (const line of lines)
			if (line.startsWith('data: ') && line !== 'data: [DONE]')
				addEvent(report, JSON.parse(line.slice(6)));
	}
}

async function make(base, call) {
	const report = { id: null, model: null, text: '',
		usage: null, finish: null, tools: [], error: null, started: now(), first: null };
	try {
		const response = await fetch(`${base}/${call.path}`,
			{ method: 'POST', headers, body: JSON.stringify(call.body) });
		if (call.body.stream && response.ok) {
			await addStream(report, response);
		} else {
			const body = await response.json();
			report.error = body.error?.message ?? null;
			addEvent(report, body);
			report.first = null;
		}
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
