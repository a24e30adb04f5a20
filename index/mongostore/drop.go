package mongostore

import (
	"context"
	"fmt"
)

// dropDocs is how many documents one command of Drop deletes.
const dropDocs = 10_000

// Drop deletes every document of a generation, some at a time, so that no command takes long. What a call that failed has
// deleted stays so, and the next call goes on.
func (s *Store) Drop(ctx context.Context, generation string) error {
	if err := s.drop(ctx, generation); err != nil {
		return fmt.Errorf("drop generation %q: %w", generation, err)
	}
	return nil
}

func (s *Store) drop(ctx context.Context, generation string) error {
	if err := s.enter(ctx, true); err != nil {
		return err
	}
	all := under(appendText(nil, generation))
	for {
		next, err := s.nthID(ctx, all, dropDocs)
		if err != nil {
			return err
		}
		some := all
		if next != "" {
			some.upper = next
		}
		err = s.write(ctx, 0, func(ctx context.Context) error {
			_, err := s.docs.DeleteMany(ctx, filterOf([]span{some}))
			return err
		})
		if err != nil || next == "" {
			return err
		}
		all.lower = next
	}
}
