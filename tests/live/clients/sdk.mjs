// SPDX-License-Identifier: Apache-2.0
// What sdk_*.mjs share: sdk.py's protocol and report. The libraries are found
// from where the program was started (a copy beside node_modules).

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const KEY = 'GTCANARY-key';
export const SCHEMA = { type: 'object', required: ['q'],
	properties: { q: { type: 'string' }, count: { type: 'integer' } } };
export const toolNames = (call) =>
	Array.from({ length: call.tools }, (_, number) => `tool_${number}`);
const now = () => Number(process.hrtime.bigint());

class Report {
	constructor(call) {
		this.call = call;
		this.fields = { id: null, model: null, text: '', said: '', reasoning: '', refusal: '', tools: [],
			finish: null, usage: null, error: null, vectors: null, started: now(), first: null,
			ended: null };
	}

	set(fields) {
		for (const [name, value] of Object.entries(fields))
			this.fields[name] = value ?? this.fields[name];
	}

	add(pieces) {
		for (const [name, piece] of Object.entries(pieces))
			if (piece) {
				this.mark();
				this.fields[name] += piece;
			}
	}

	mark() {
		if (this.call.stream)
			this.fields.first ??= now();
	}

	tool(id, name, given) {
		this.mark();
		this.fields.tools.push([id, name, given]);
	}

	end() {
		this.fields.ended = now();
		for (const tool of this.fields.tools)
			if (typeof tool[2] === 'string')
				tool[2] = JSON.parse(tool[2] || '{}');
		return this.fields;
	}
}

async function make(sdk, client, call) {
	const report = new Report(call);
	try {
		const answer = await sdk.start(client, call);
		if (call.stream) {
			for await (const event of answer)
				sdk.event(report, event);
			await sdk.last?.(report, answer);
		} else {
			sdk.whole(report, answer);
		}
	} catch (error) {
		report.fields.error = { class: error.constructor.name, message: error.message };
	}
	return report.end();
}

export async function main(sdk) {
	const [base, planFile] = process.argv.slice(2);
	const plan = JSON.parse(readFileSync(planFile, 'utf8'));
	const client = sdk.open(base);
	const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
	console.log('READY');
	await input.next();
	const reports = [];
	for (const call of plan)
		reports.push(await make(sdk, client, call));
	console.log(JSON.stringify(reports));
	await input.next();
	process.exit(0);
}
