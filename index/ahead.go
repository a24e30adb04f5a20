package index

import (
	"context"

	"heatlog/heatmap"
)

// ahead reads a source one chunk ahead of who takes them, on a thread of the lowest priority.
type ahead struct {
	read chan aheadRead
	free chan *heatmap.Chunk
	last *heatmap.Chunk // that next gave
	stop context.CancelFunc
	done chan struct{}
}

type aheadRead struct {
	chunk *heatmap.Chunk
	err   error
}

// readAhead begins to read. The caller must close it before the reader.
func readAhead(ctx context.Context, r Reader) *ahead {
	a := &ahead{read: make(chan aheadRead), free: make(chan *heatmap.Chunk, 2), done: make(chan struct{})}
	ctx, a.stop = context.WithCancel(ctx)
	a.free <- new(heatmap.Chunk)
	a.free <- new(heatmap.Chunk)
	go func() {
		defer close(a.done)
		atLowPriority(func() { a.run(ctx, r) })
	}()
	return a
}

func (a *ahead) run(ctx context.Context, r Reader) {
	for {
		var c *heatmap.Chunk
		select {
		case c = <-a.free:
		case <-ctx.Done():
			return
		}
		err := r.Next(ctx, c)
		select {
		case a.read <- aheadRead{c, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// next gives the next chunk, which is valid until it is called again. After an error there is none.
func (a *ahead) next(ctx context.Context) (*heatmap.Chunk, error) {
	if a.last != nil {
		a.free <- a.last
		a.last = nil
	}
	select {
	case r := <-a.read:
		a.last = r.chunk
		return r.chunk, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close ends the reading.
func (a *ahead) close() {
	a.stop()
	<-a.done
}
