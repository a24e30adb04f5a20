// Package mongotest gives tests a MongoDB to run against, and stands between it and the driver to make faults.
//
// Database is a fresh database: at a peer, which is one process of each test binary, or at the server that
// HEATLOG_TEST_MONGODB names. Proxy passes commands on and cuts, delays, swallows or refuses them. Peer is a server of one
// test that can be killed and started again.
//
// # The peer
//
// It is mongo-java-server 1.47.0 under a launcher of ours (peer/Peer.java), which .ci/mongopeer installs with the JDK and
// Maven: an implementation of the wire protocol that shares no code with the driver or with MongoDB. It was chosen because
// it keeps its word where the others at hand do not: of 8 writers' compare-and-swaps none is lost (TestSwapsOfEightWriters),
// it finds documents by _id through an index, bulk writes of 1,000 documents of 10 KB take 0.2 to 0.3 s, and a lost race is
// error 11000. FerretDB 1.24.2 lost 301 to 345 of 400 updates in the same trial and scans its collection for each.
//
// What it does not prove, because it has no replicas and no bounds: write concern, roll-back and failover (only the proxy
// says "not primary"), retryable writes and sessions, reads from secondaries, the 16 MiB of a document, splitting and
// balancing of shards. It orders strings by UTF-16 where MongoDB orders by UTF-8, which is the same in ASCII. It does not
// know the command hello, so drivers fall back to the older one. Those need HEATLOG_TEST_MONGODB, for which
// cmd/heatlog/deploy/replica-set starts a replica set from a given mongod.
package mongotest
