// Tell sends one command to a MongoDB server and prints its reply, for scripts where there is no shell of MongoDB. It waits
// for the server, or for the primary of the replica set that the connection string names.
//
//	go run ./index/mongostore/mongotest/tell 'mongodb://127.0.0.1:27117/?directConnection=true' '{"hello": 1}'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// timeout is how long a command may take, with the wait for its server.
const timeout = time.Minute

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tell:", err)
		os.Exit(1)
	}
}

// run sends the command, in extended JSON, to the database admin.
func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("want a connection string and a command, as '{\"hello\": 1}'")
	}
	var command bson.D
	if err := bson.UnmarshalExtJSON([]byte(args[1]), false, &command); err != nil {
		return fmt.Errorf("read command: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(args[0]).SetServerSelectionTimeout(timeout))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	reply, err := client.Database("admin").RunCommand(ctx, command).Raw()
	if err != nil {
		return err
	}
	text, err := bson.MarshalExtJSON(reply, false, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}
