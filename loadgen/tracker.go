package loadgen

import "math/bits"

// tracker knows which sequence numbers of one flow have arrived, all of them,
// so that loss over any range is exact and a duplicate is found however late it
// comes. A complete chunk costs nothing; so a long run without loss stays small.
type tracker struct {
	chunks []*chunk
	spare  *chunk // of a completed one, to be used again
	next   uint64 // highest sequence number seen, plus one

	unique, duplicate, reordered uint64
}

const (
	chunkBits = 1 << 15
	// maxSeq bounds what is believed: beyond it (years at any rate) a sequence
	// number is nonsense, and would make the tracker as large.
	maxSeq = 1 << 44
)

type chunk struct {
	words [chunkBits / 64]uint64
	n     int
}

// complete stands for every chunk of which all packets have arrived.
var complete = &chunk{n: chunkBits}

// mark notes an arrival and reports whether it is the packet's first. Reordered
// is as in RFC 4737: a packet that comes after one with a higher number.
func (t *tracker) mark(seq uint64) (first bool) {
	i := int(seq / chunkBits)
	for len(t.chunks) <= i {
		t.chunks = append(t.chunks, nil)
	}
	c := t.chunks[i]
	if c == nil {
		if c = t.spare; c != nil {
			t.spare = nil
		} else {
			c = new(chunk)
		}
		t.chunks[i] = c
	}
	if c == complete {
		t.duplicate++
		return false
	}
	w, bit := &c.words[seq%chunkBits/64], uint64(1)<<(seq%64)
	if *w&bit != 0 {
		t.duplicate++
		return false
	}
	*w |= bit
	t.unique++
	if seq < t.next {
		t.reordered++
	} else {
		t.next = seq + 1
	}
	if c.n++; c.n == chunkBits {
		t.chunks[i] = complete
		*c = chunk{}
		t.spare = c
	}
	return true
}

// count is how many of the sequence numbers from first up to but not including
// end have arrived.
func (t *tracker) count(first, end uint64) uint64 {
	var n uint64
	for at := first; at < end; {
		i := int(at / chunkBits)
		stop := min(end, uint64(i+1)*chunkBits)
		if i < len(t.chunks) && t.chunks[i] != nil {
			n += t.chunks[i].count(int(at%chunkBits), int(at%chunkBits)+int(stop-at))
		}
		at = stop
	}
	return n
}

func (c *chunk) count(from, to int) uint64 {
	if c == complete {
		return uint64(to - from)
	}
	n := 0
	for at := from; at < to; {
		stop := min(to, (at/64+1)*64)
		w := c.words[at/64] >> (at % 64)
		if width := stop - at; width < 64 {
			w &= 1<<width - 1
		}
		n += bits.OnesCount64(w)
		at = stop
	}
	return uint64(n)
}
