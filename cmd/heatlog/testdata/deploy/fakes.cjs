// Stands in for mongosh: runs one of the scripts of deploy on a made replica set or cluster, and prints what it did.
//
//   node fakes.cjs SCRIPT STATE     STATE is JSON: {polls}, or {chunks: [[min, max, shard]…], copy: [from, to]}
const fs = require("node:fs");
const vm = require("node:vm");

const [script, text] = process.argv.slice(2);
const state = JSON.parse(text);
const did = [];

const bound = (b) => (b === "MinKey" || b === "MaxKey" ? { _bsontype: b } : b);

// a replica set that has a primary after some polls; polls < 0 is one that was initiated before
let initiated = state.polls < 0;
let polls = Math.max(0, state.polls);
const rs = {
  status() {
    if (!initiated) throw Object.assign(new Error("no replset config has been received"), { code: 94 });
    return { members: [{ stateStr: "SECONDARY" }, { stateStr: polls-- > 0 ? "SECONDARY" : "PRIMARY" }] };
  },
  initiate(config) {
    if (initiated) throw new Error("already initialized");
    initiated = true;
    did.push(["initiate", config._id, config.members.map((m) => m.host).join(" ")]);
  },
};

// a cluster
const ns = "heatlog.docs";
const chunks = (state.chunks ?? []).map(([min, max, shard]) => ({ uuid: 7, min: { _id: bound(min) }, max: { _id: bound(max) }, shard }));
const cursor = { sort: () => ({ toArray: () => chunks.map((c) => ({ ...c })) }) };
const config = {
  collections: { findOne: ({ _id }) => (_id === ns && chunks.length ? { _id, uuid: 7 } : null) },
  chunks: { find: () => cursor },
};
const db = { getName: () => "heatlog", getSiblingDB: () => config };
const inside = (c, id) => (c.min._id._bsontype || c.min._id <= id) && (c.max._id._bsontype || c.max._id > id);
const sh = {
  shardCollection: (name, key) => did.push(["shard", name, JSON.stringify(key)]),
  splitAt(name, { _id }) {
    const i = chunks.findIndex((c) => inside(c, _id));
    if (name !== ns || chunks[i].min._id === _id) throw new Error(`cannot split ${name} at ${_id}`);
    chunks.splice(i, 1, { ...chunks[i], max: { _id } }, { ...chunks[i], min: { _id } });
  },
  moveChunk(name, { _id }, shard) {
    const c = chunks.find((c) => inside(c, _id));
    if (name !== ns || c.shard === shard) throw new Error(`cannot move ${_id} to ${shard}`);
    c.shard = shard;
  },
};

const globals = { rs, sh, db, sleep: () => did.push(["sleep"]), print() {}, Error, Set, Map };
if (state.copy) globals.copy = state.copy;
vm.runInNewContext(fs.readFileSync(script, "utf8"), globals, { filename: script });
for (const deed of did) console.log(deed.join(" "));
for (const c of chunks) {
  const written = (b) => (typeof b === "string" ? b : b._bsontype);
  console.log(`[${written(c.min._id)}, ${written(c.max._id)}) ${c.shard}`);
}
