package derp

// Carry keeps the bytes of a frame that has not wholly arrived, between two
// reads of one peer's socket. The receive buffer belongs to the thread and not
// to the peer, so that an idle peer costs nothing: what a read leaves unfinished
// is saved here and put before the next read.
type Carry struct {
	buf []byte
}

// keep is the largest buffer a Carry holds on to while empty. A frame of
// Ethernet size stays without allocation; a 64 KiB one gives its memory back.
const keep = 4 << 10

// Len is how many bytes are saved.
func (c *Carry) Len() int { return len(c.buf) }

// Save keeps a copy of rest, replacing what was saved before.
func (c *Carry) Save(rest []byte) {
	if len(rest) == 0 {
		if cap(c.buf) > keep {
			c.buf = nil
		}
		c.buf = c.buf[:0]
		return
	}
	c.buf = append(c.buf[:0], rest...)
}

// Load copies the saved bytes to the start of dst and returns how many they
// were. They stay saved until the next Save, so a failed read loses nothing.
func (c *Carry) Load(dst []byte) int { return copy(dst, c.buf) }
