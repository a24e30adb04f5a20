// For mongosh: makes a replica set of mongo1, mongo2 and mongo3 and waits for its primary. Nothing happens to one that there is.
const notYetInitialized = 94;
const patience = 120; // seconds until there is a primary

function state() {
  try {
    return rs.status();
  } catch (error) {
    if (error.code !== notYetInitialized) throw error;
    return null;
  }
}

if (state() === null) {
  rs.initiate({
    _id: "rs0",
    members: ["mongo1", "mongo2", "mongo3"].map((name, i) => ({ _id: i, host: `${name}:27017` })),
  });
}
for (let waited = 0; !state()?.members.some((m) => m.stateStr === "PRIMARY"); waited++) {
  if (waited >= patience) throw new Error(`no primary after ${patience} s`);
  sleep(1000);
}
print("the replica set rs0 has a primary");
