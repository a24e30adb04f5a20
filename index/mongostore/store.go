// Package mongostore keeps documents and records in MongoDB.
package mongostore

import (
	"context"
	"fmt"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// Options say how a store behaves; the zero value is good.
type Options struct {
	Logger *slog.Logger // default slog.Default()
}

// Store is a store in a database of MongoDB. It is safe for concurrent use.
type Store struct {
	client *mongo.Client
}

// Open makes a store of a connection string. It does not wait for the database: Ping does.
func Open(uri string, o Options) (*Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return &Store{client: client}, nil
}

// Ping asks the primary for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return s.client.Ping(ctx, readpref.Primary())
}

// Close ends all connections.
func (s *Store) Close(ctx context.Context) error { return s.client.Disconnect(ctx) }
