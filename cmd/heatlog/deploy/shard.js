// For mongosh on a sharded cluster: spreads heatlog's two collections over its shards by _id, which begins with generation,
// site and page. So a page's days lie together, a question about a page asks one shard, and hits that come in now, whatever
// day it is, go to wherever their pages are.
//
//   mongosh "mongodb://ROUTER/heatlog" cmd/heatlog/deploy/shard.js
//
// A new generation (heatlog replay) begins in one chunk, behind all others, until the balancer has split and moved it. To
// spread it as another one is spread, at once, before the replay is started:
//
//   mongosh "mongodb://ROUTER/heatlog" --eval 'var copy = ["g1", "g2"]' --file cmd/heatlog/deploy/shard.js
const key = { _id: 1 };
const collections = ["docs", "records"];

// namespace of a collection: the database is the connection string's
const namespace = (name) => `${db.getName()}.${name}`;

// chunksOf gives the chunks of a collection in order; config names it by its uuid since 5.0, by its namespace before
function chunksOf(name) {
  const config = db.getSiblingDB("config");
  const found = config.collections.findOne({ _id: namespace(name) });
  if (!found) throw new Error(`${namespace(name)} is not sharded`);
  const of = found.uuid ? { $or: [{ uuid: found.uuid }, { ns: namespace(name) }] } : { ns: namespace(name) };
  return config.chunks.find(of).sort({ min: 1 }).toArray();
}

// ids of a generation begin with it and a space; what is not a letter, digit or one of these is written otherwise
function prefix(generation) {
  if (!/^[A-Za-z0-9._-]+$/.test(generation)) throw new Error(`not the id of a generation: ${generation}`);
  return `${generation} `;
}

// copySplits splits the place where a generation is to be as another one is split, and puts each part where that one's is.
function copySplits(from, to) {
  const old = prefix(from);
  const target = prefix(to);
  const ns = namespace("docs");
  const below = (bound, text) => (typeof bound === "string" ? bound < text : bound._bsontype === "MinKey");
  const before = chunksOf("docs");
  const parts = [];
  for (const { min, max, shard } of before) {
    if (typeof min._id === "string" && min._id.startsWith(old)) {
      parts.push({ at: target + min._id.slice(old.length), shard });
    } else if (below(min._id, old) && !below(max._id, old) && max._id !== old) {
      parts.push({ at: target, shard }); // the generation begins within a chunk
    }
  }
  const bounds = new Set(before.map((chunk) => chunk.min._id));
  for (const at of [...parts.map((part) => part.at), `${to}!`]) {
    if (!bounds.has(at)) sh.splitAt(ns, { _id: at }); // '!' is next to the space: the generation's end
  }
  const now = new Map(chunksOf("docs").map((chunk) => [chunk.min._id, chunk.shard]));
  for (const { at, shard } of parts) {
    if (now.get(at) !== shard) sh.moveChunk(ns, { _id: at }, shard);
  }
  print(`${ns}: ${to} has ${parts.length} chunks, as ${from}`);
}

if (typeof copy === "undefined") {
  for (const name of collections) {
    sh.shardCollection(namespace(name), key);
    print(`${namespace(name)} is sharded by _id`);
  }
} else {
  copySplits(...copy);
}
