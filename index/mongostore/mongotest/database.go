package mongotest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// dropTimeout is how long the end of a test waits for its database to be dropped.
const dropTimeout = 30 * time.Second

// Database gives the connection string of a fresh, empty database, which is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	server := os.Getenv(serverVariable)
	if server == "" {
		server = "mongodb://" + sharedPeer(t)
	}
	address, err := parseAddress(server)
	if err != nil {
		t.Fatalf("%s: %v", serverVariable, err)
	}
	uri := address.withDatabase("heatlog_" + strings.ToLower(rand.Text())).String()
	t.Cleanup(func() {
		if err := drop(uri); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return uri
}

// drop removes the database of a connection string.
func drop(uri string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	address, err := parseAddress(uri)
	if err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	return client.Database(address.database).Drop(ctx)
}
