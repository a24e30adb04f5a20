package index

import (
	"context"
	"fmt"
	"strings"
)

// DropGeneration deletes all that a store has of a generation: documents, then records. It may be called again, and goes on
// with what an earlier call left. No index of the generation may be open.
func DropGeneration(ctx context.Context, store Store, generation string) error {
	if err := store.Drop(ctx, generation); err != nil {
		return err
	}
	listed, err := store.Record(ctx, sourcesName(generation))
	if err != nil {
		return fmt.Errorf("read record %s: %w", sourcesName(generation), err)
	}
	var names []string
	for source := range strings.FieldsSeq(string(listed)) {
		names = append(names, checkpointName(generation, source), highName(generation, source))
		if generation == firstGeneration {
			names = append(names, oldHighName(source))
		}
	}
	for _, name := range append(names, sourcesName(generation), generationName(generation)) { // the list of sources goes after what it names
		if err := DeleteRecord(ctx, store, name); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRecord deletes a record, whatever it holds.
func DeleteRecord(ctx context.Context, store Records, name string) error {
	for {
		value, err := store.Record(ctx, name)
		if err == nil && value == nil {
			return nil
		}
		if err == nil {
			_, err = store.SwapRecord(ctx, name, value, nil)
		}
		if err != nil {
			return fmt.Errorf("delete record %s: %w", name, err)
		}
	}
}

// GenerationSpec gives what a generation's rules and algorithms are, nil if there is no such generation.
func GenerationSpec(ctx context.Context, store Records, generation string) ([]byte, error) {
	spec, err := store.Record(ctx, generationName(generation))
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", generationName(generation), err)
	}
	return spec, nil
}

func generationName(generation string) string { return "generation/" + generation }
