package mongostore

import (
	"context"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// deployment is what the driver found out about the deployment.
type deployment struct {
	sessions atomic.Bool            // there are sessions, and times that all members understand
	tooOld   atomic.Pointer[string] // why no member can be asked at all
}

func (t *deployment) monitor() *event.ServerMonitor {
	return &event.ServerMonitor{TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
		d := &e.NewDescription
		if t.tooOld.Store(nil); d.CompatibilityErr != nil {
			why := d.CompatibilityErr.Error()
			t.tooOld.Store(&why)
		}
		switch d.Kind {
		case "ReplicaSetWithPrimary", "ReplicaSetNoPrimary", "Sharded":
			t.sessions.Store(d.SessionTimeoutMinutes != nil)
		case "LoadBalanced":
			t.sessions.Store(true)
		case "Single":
			t.sessions.Store(false)
		}
	}}
}

// clock holds the latest times that this process has seen in answers of the primary. A session that is moved on to them
// sees all that was written or read before.
type clock struct {
	mu        sync.Mutex
	cluster   bson.Raw        // guarded by mu, as is all below; the driver's {$clusterTime: …}
	operation *bson.Timestamp // nil until the first answer
}

func (c *clock) note(sess *mongo.Session) {
	at := sess.OperationTime()
	if at == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operation == nil || c.operation.Compare(*at) < 0 {
		c.operation, c.cluster = at, sess.ClusterTime()
	}
}

func (c *clock) times() (cluster bson.Raw, operation *bson.Timestamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cluster, c.operation
}

// session puts a causally consistent session into ctx, if the deployment has such. Moved on, it sees all that this process
// has seen before. End notes what it saw.
func (s *Store) session(ctx context.Context, movedOn bool) (in context.Context, end func()) {
	if !s.topology.sessions.Load() {
		return ctx, func() {}
	}
	sess, err := s.client.StartSession(options.Session().SetCausalConsistency(true))
	if err != nil {
		return ctx, func() {} // the client is closed: the command will say so
	}
	if cluster, operation := s.clock.times(); movedOn && operation != nil {
		_ = sess.AdvanceClusterTime(cluster) // fails for an ended session alone
		_ = sess.AdvanceOperationTime(operation)
	}
	return mongo.NewSessionContext(ctx, sess), func() {
		s.clock.note(sess)
		sess.EndSession(context.WithoutCancel(ctx))
	}
}

// readers gives the collection that a scan asks: Options.ReadPreference's where a session can promise that its answer holds
// all that this process wrote and read, else the primary's.
func (s *Store) readers() *mongo.Collection {
	if s.docsOther == nil {
		return s.docs
	}
	if _, operation := s.clock.times(); operation != nil && s.topology.sessions.Load() {
		return s.docsOther
	}
	if !s.topology.sessions.Load() {
		s.warnOnce.Do(func() {
			s.o.Logger.Warn("documents are read from the primary: the deployment has no causally consistent sessions",
				"store", s.where, "preference", s.o.ReadPreference)
		})
	}
	return s.docs
}
