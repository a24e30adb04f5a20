package heatmap

import "encoding/binary"

// Sampled counts that a hit is from a share of page loads, as Delta.AddSampled does; 0 is from all.
func (r *Recount) Sampled(bot bool, share uint32) {
	of := r.shares[0]
	if bot {
		of = r.shares[1]
	}
	if share > 0 {
		of[share]++
	}
}

// sampled is what a blob has of sampled hits, nil where there are none.
func (r *Recount) sampled() (part []byte) {
	if len(r.shares[0])+len(r.shares[1]) == 0 {
		return nil
	}
	for _, shares := range r.shares {
		hits, least := uint64(0), uint32(0)
		for share, n := range shares {
			if hits += n; least == 0 || share < least {
				least = share
			}
		}
		if part = binary.AppendUvarint(part, hits); hits > 0 {
			part = binary.AppendUvarint(part, uint64(least))
		}
	}
	return part
}
