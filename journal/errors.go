package journal

import (
	"errors"
	"fmt"
)

// The errors that a caller tells apart.
var (
	// ErrUnavailable means that the hits could not be written: the disk is full, read-only or broken. It is temporary:
	// the next Append tries again. After a restart the hits of the refused Append may be there, but never twice.
	ErrUnavailable = errors.New("journal is unavailable")
	// ErrClosed means that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrTooLarge means that one Append was given more than MaxAppend bytes or MaxChunkHits hits.
	ErrTooLarge = errors.New("append is too large")
	// ErrLocked means that another process holds the journal.
	ErrLocked = errors.New("in use by another process")
	// ErrReadOnly means that a segment has features that this version can read but must not write beside.
	ErrReadOnly = errors.New("journal can only be read by this version")
	// ErrIdentity means that the file which names a source's folder is missing, damaged or that of another one.
	ErrIdentity = errors.New("the folder is not that of this source")
	// ErrPosition means that a position is not in the journal: before its first hit or after its last.
	ErrPosition = errors.New("position is not in the journal")
)

// CorruptError tells of damage: bytes of a segment that are not what was written. The hits of positions From to To-1 are
// lost; none are if both are equal.
type CorruptError struct {
	Segment  string // path of the file
	Offset   int64  // where the damage begins, bytes
	From, To uint64
	Err      error
}

// Error names the segment, the offset and what is lost.
func (e *CorruptError) Error() string {
	lost := "no hit is lost"
	if e.To > e.From {
		lost = fmt.Sprintf("hits %d to %d are lost", e.From, e.To-1)
	}
	return fmt.Sprintf("read segment %s:%d: %v (%s)", e.Segment, e.Offset, e.Err, lost)
}

// Unwrap gives the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// Lost is the number of hits that the damage cost.
func (e *CorruptError) Lost() uint64 { return e.To - e.From }

// VersionError means that a segment was written by a later version, with features that this one cannot read.
type VersionError struct {
	Segment  string
	Version  uint16 // of the format
	Incompat uint64 // the feature bits that are not known here
}

// Error says what is needed.
func (e *VersionError) Error() string {
	return fmt.Sprintf("segment %s needs a later heatlog: format %d, unknown features %#x", e.Segment, e.Version, e.Incompat)
}

// PrunedError means that the hits at a position were deleted because of their age or of the journal's size. It wraps
// ErrPosition.
type PrunedError struct {
	Position uint64 // that was asked for
	First    uint64 // that is kept
}

// Error says what is asked for and what is kept.
func (e *PrunedError) Error() string {
	return fmt.Sprintf("read position %d: %v: older hits were pruned, the first one kept is %d", e.Position, ErrPosition, e.First)
}

// Unwrap gives ErrPosition.
func (e *PrunedError) Unwrap() error { return ErrPosition }
