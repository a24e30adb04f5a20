package index

// slots bound how many goroutines compute at a time, each for a short while and without waiting for anything meanwhile. nil
// bounds nothing.
type slots chan struct{}

// take waits for a slot.
func (s slots) take() {
	if s != nil {
		s <- struct{}{}
	}
}

// free gives a slot back.
func (s slots) free() {
	if s != nil {
		<-s
	}
}
