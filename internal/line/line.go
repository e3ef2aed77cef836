// Package line measures what the network between two hosts carries: TCP and
// nothing else, in either direction, over one stream or several.
//
// A Server waits at the relay's data address; Run connects to it, as a load's
// peers would, so whatever lets traffic through lets this through. For each stream
// the client sends a line of JSON (the token, the direction, for how long), gets a
// line back, and says "go" when all its streams are there. Then one side sends
// blocks, the last of which says how the sending went, and the other answers with
// what it received. The rate is the receiver's: bytes it took, over the time they
// took, the beginning left out.
//
// It knows nothing of relays, fleets or what a good line is, and serves only who
// has its token.
package line

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// Bounds of what is asked for.
const (
	MaxStreams  = 64
	MaxDuration = 10 * time.Second
)

const (
	blockLen   = 256 << 10
	skipShare  = 5 // of the duration, what the receiver leaves out: slow start
	patience   = 10 * time.Second
	maxMessage = 1024
)

// The first byte of a block.
const (
	blockFill = 0
	blockLast = 1
)

// hello is a stream's first line, of the client.
type hello struct {
	Token    string        `json:"token"`
	ToServer bool          `json:"to_server"`
	Duration time.Duration `json:"duration_ns"`
}

// received is what a receiver took after the beginning.
type received struct {
	Bytes int64 `json:"bytes"`
	NS    int64 `json:"ns"`
}

// stream is one connection, with whatever has been read ahead.
type stream struct {
	conn *net.TCPConn
	in   *bufio.Reader
}

func newStream(c *net.TCPConn) *stream {
	return &stream{c, bufio.NewReaderSize(c, maxMessage)}
}

func (s *stream) tell(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.conn.Write(append(b, '\n'))
	return err
}

func (s *stream) hear(v any) error {
	b, err := s.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// send sends blocks for so long and then how that went, and returns it with what
// the other side received.
func (s *stream) send(d time.Duration) (sending, received, error) {
	block := make([]byte, blockLen)
	for i := range block {
		block[i] = byte(i * 31)
	}
	block[0] = blockFill
	for until := time.Now().Add(d); time.Now().Before(until); {
		if _, err := s.conn.Write(block); err != nil {
			return sending{}, received{}, err
		}
	}
	how, err := howSent(s.conn)
	if err != nil {
		return how, received{}, err
	}
	last, err := json.Marshal(how)
	if err != nil {
		return how, received{}, err
	}
	block[0] = blockLast
	n := copy(block[1:], last)
	block[1+n] = '\n'
	if _, err := s.conn.Write(block); err != nil {
		return how, received{}, err
	}
	var got received
	return how, got, s.hear(&got)
}

// ErrBrief means that a receiver took what it got in much less time than it was
// sent in: its host was busy with other things meanwhile, and a rate would be that
// of emptying a buffer.
var ErrBrief = errors.New("the receiver's host was too busy to take what came as it came")

// errNothing means that all came within the beginning of the stream, to a host that
// was busy until then; or that there was no more, which cannot be told from it.
var errNothing = fmt.Errorf("%w: nothing came after the beginning; or the line is too slow for so short a look", ErrBrief)

// judge says whether what was received makes a rate, of a stream that was sent for
// so long.
func (r received) judge(d time.Duration) error {
	switch counted := d - d/skipShare; {
	case r.NS <= 0:
		return errNothing
	case time.Duration(r.NS) < counted/2:
		return fmt.Errorf("%w: in %v of %v", ErrBrief, time.Duration(r.NS).Round(time.Millisecond), counted)
	}
	return nil
}

// receive takes blocks until the last and says what it got.
func (s *stream) receive(d time.Duration) (sending, received, error) {
	block := make([]byte, blockLen)
	var how sending
	var got received
	var first, counted time.Time
	for {
		for n := 0; n < blockLen; {
			k, err := s.in.Read(block[n:])
			if err != nil {
				return how, got, err
			}
			n += k
			now := time.Now()
			switch {
			case first.IsZero():
				first = now
			case !counted.IsZero():
				got.Bytes += int64(k)
				got.NS = int64(now.Sub(counted))
			case now.Sub(first) >= d/skipShare:
				counted = now
			}
		}
		if block[0] != blockLast {
			continue
		}
		end := 1
		for end < blockLen && block[end] != '\n' {
			end++
		}
		if err := json.Unmarshal(block[1:end], &how); err != nil {
			return how, got, fmt.Errorf("how the sending went: %w", err)
		}
		if err := s.tell(got); err != nil {
			return how, got, err
		}
		return how, got, nil
	}
}
