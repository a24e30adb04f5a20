// Asks DuckDB what the bench asks heatlog. `load CSV DB` makes the table; `ask DB` answers each line of JSON on stdin, with
// {from, to, page, low, high, all}, by one on stdout.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, command, ...args] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(folder, "x.js")));
const { DuckDBInstance } = require("@duckdb/node-api");

const say = (answer) => process.stdout.write(JSON.stringify(answer, (_, v) => (typeof v === "bigint" ? Number(v) : v)) + "\n");

// The table is sorted by what the questions ask for, so that all but a few row groups are left out unread.
async function load(csv, db) {
	const c = await (await DuckDBInstance.create(db)).connect();
	const begin = performance.now();
	await c.run(`CREATE TABLE hits AS SELECT * FROM read_csv('${csv}', header=false, auto_detect=false, columns={
		'page': 'UINTEGER', 'kind': 'UTINYINT', 'bot': 'BOOLEAN', 'vw': 'USMALLINT', 't': 'BIGINT', 'x': 'USMALLINT', 'y': 'USMALLINT'})
		ORDER BY page, kind, vw, t`);
	await c.run("CHECKPOINT");
	say({ ms: performance.now() - begin });
	c.closeSync();
}

async function ask(db) {
	const c = await (await DuckDBInstance.create(db, { access_mode: "READ_ONLY", threads: "1" })).connect();
	const heat = await c.prepare(`SELECT x // 8 * 8 AS x, y // 8 * 8 AS y, count(*)::UINTEGER AS n FROM hits
		WHERE page = $1 AND kind = 1 AND NOT bot AND vw BETWEEN $2 AND $3 AND t >= $4 AND t < $5 GROUP BY 1, 2`);
	say({ ms: 0 });
	for await (const line of createInterface({ input: process.stdin })) {
		const q = JSON.parse(line);
		heat.bindUInteger(1, q.page);
		heat.bindUSmallInt(2, q.low);
		heat.bindUSmallInt(3, q.high);
		heat.bindBigInt(4, BigInt(q.from));
		heat.bindBigInt(5, BigInt(q.to));
		const begin = performance.now();
		const chunks = await (await heat.run()).fetchAllChunks();
		const ms = performance.now() - begin;
		const cells = q.all ? chunks.flatMap((chunk) => chunk.getRows()) : undefined;
		say({ ms, cells });
	}
}

await { load, ask }[command](...args);
