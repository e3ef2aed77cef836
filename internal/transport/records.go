package transport

import (
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"

	"hdbench/internal/tlsrec"
)

// records is what a Socket with TLS keeps between two calls.
type records struct {
	in  *tlsrec.Reader
	out *tlsrec.Writer // nil: the kernel opens and seals

	kernel *tlsrec.KernelKeys // without out; nil if this kernel does not change keys

	start   []byte // cipher text of a record whose end has not arrived
	pending []byte // cipher text that the socket has not taken; a part of sealed
	sealed  []byte
	unit    int // a record begins anew after so many bytes; 0: when it is full
	phase   int // bytes since the last unit began
	over    bool
}

// newRecords makes the record layer of a session: the kernel's, which enable turns
// on, or ours. The session's secrets are wiped, whatever the result.
func newRecords(k Kind, s *tlsrec.Session, o Options, enable func(*tlsrec.Session) error) (*records, error) {
	defer s.Wipe()
	r := &records{unit: o.RecordUnit}
	if k == KTLS {
		if err := enable(s); err != nil {
			return nil, err
		}
		r.kernel = s.KernelKeys()
		r.in = tlsrec.NewControlReader(r.kernel)
		return r, nil
	}
	var err error
	if r.in, err = s.NewReader(); err != nil {
		return nil, err
	}
	if r.out, err = s.NewWriter(); err != nil {
		r.in.Wipe()
		return nil, err
	}
	return r, nil
}

// wipe forgets what was secret; nothing can be received or sent any more.
func (r *records) wipe() {
	r.over = true
	r.in.Wipe()
	if r.out != nil {
		r.out.Wipe()
	}
}

func (r *records) recv(fd int, sc *Scratch, b []byte) (int, error) {
	if r.out == nil {
		return r.recvKernel(fd, sc, b)
	}
	in := sc.in[:min(len(sc.in), len(b))]
	carried := copy(in, r.start)
	n, err := recv(fd, in[carried:])
	sc.Filled = n == len(in)-carried
	if n == 0 {
		if err == io.EOF && carried > 0 {
			err = fmt.Errorf("%w: the connection ended inside a record", tlsrec.ErrDecrypt)
		}
		return 0, r.failed(fd, err)
	}
	in = in[:carried+n]
	records, bytes, tickets, updates := r.in.Records, r.in.Bytes, r.in.Tickets, r.in.KeyUpdates
	got, used, err := r.in.Open(b, in)
	sc.Records.In += r.in.Records - records
	sc.Records.InBytes += r.in.Bytes - bytes
	sc.Records.Tickets += r.in.Tickets - tickets
	sc.Records.KeyUpdates += r.in.KeyUpdates - updates
	r.keepStart(sc, in[used:])
	return got, r.failed(fd, err)
}

func (r *records) keepStart(sc *Scratch, rest []byte) {
	switch {
	case len(rest) > tlsrec.MaxRecord: // behind a record that ended the connection
		r.start = nil
	case r.start != nil && len(rest) > 0:
		r.start = append(r.start[:0], rest...)
	case r.start != nil:
		sc.starts.giveBack(r.start)
		r.start = nil
	case len(rest) > 0:
		r.start = sc.starts.keep(rest)
	}
}

// failed is what every error of receiving goes through: the other side is told,
// once, what it did.
func (r *records) failed(fd int, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if description, ok := tlsrec.AlertFor(err); ok {
		r.alert(fd, description)
	}
	r.over = true
	return err
}

// bye says that nothing more comes.
func (r *records) bye(fd int) {
	r.alert(fd, tlsrec.AlertCloseNotify)
	r.over = true
}

// alert sends an alert if it can be sent at once: whoever does not read it will
// find the connection closed.
func (r *records) alert(fd int, description byte) {
	switch {
	case r.over || len(r.pending) > 0:
	case r.out == nil:
		_ = tlsrec.SendKernelAlert(fd, description)
	default:
		_, _ = send(fd, r.out.SealAlert(make([]byte, 0, 2+tlsrec.Overhead), description))
	}
}

// unfinished reports whether a record has begun to arrive.
func (r *records) unfinished(fd int) bool {
	if r.out != nil {
		return len(r.start) > 0
	}
	// The kernel leaves a record in the socket's queue until all of it is there.
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	return err == nil && n > 0
}

// nextRecord is how much of left bytes the next record carries.
func (r *records) nextRecord(left int) int {
	n := min(left, tlsrec.MaxPlain)
	if r.unit > 0 {
		n = min(n, r.unit-r.phase)
	}
	return n
}

func (r *records) began(n int) {
	if r.unit > 0 {
		r.phase = (r.phase + n) % r.unit
	}
}

// tookAll ends a call that took everything: its last record ends with it, and
// what comes next begins a new unit.
func (r *records) tookAll() { r.phase = 0 }

func (r *records) send(fd int, sc *Scratch, b []byte) (int, error) {
	if r.out == nil {
		return r.sendKernel(fd, sc, b)
	}
	return r.seal(fd, sc, len(b), b, nil)
}

// sendV gathers pieces into records.
func (r *records) sendV(fd int, sc *Scratch, iov []IOV) (int, error) {
	left := 0
	for i := range iov {
		left += int(iov[i].Len)
	}
	return r.seal(fd, sc, left, nil, iov)
}

// seal sends left bytes, those of piece and then those of more, as records.
func (r *records) seal(fd int, sc *Scratch, left int, piece []byte, more []IOV) (taken int, err error) {
	if ready, err := r.flush(fd, sc); !ready {
		return 0, err
	}
	out := sc.out
	// An answer to a KeyUpdate may wait for data that goes out anyway (RFC 8446,
	// section 4.6.3): so a peer that asks often costs no more than what is sent to it.
	if r.in.Asked && left > 0 {
		if out, err = r.out.KeyUpdate(out, false); err != nil {
			r.over = true
			return 0, err
		}
		r.in.Asked = false
	}
	for left > 0 {
		n := r.nextRecord(left)
		if cap(out)-len(out) < n+tlsrec.Overhead {
			if ready, err := r.push(fd, sc, out); !ready {
				return taken, err
			}
			out = sc.out
		}
		for len(piece) == 0 {
			piece, more = pieceOf(&more[0]), more[1:]
		}
		if n <= len(piece) {
			out = r.out.Seal(out, piece[:n])
			piece = piece[n:]
		} else {
			whole := tlsrec.Room(out)
			for have := 0; have < n; {
				if len(piece) == 0 {
					piece, more = pieceOf(&more[0]), more[1:]
				}
				m := min(n-have, len(piece))
				whole = append(whole, piece[:m]...)
				piece = piece[m:]
				have += m
			}
			out = r.out.SealInPlace(out, n)
		}
		r.began(n)
		sc.Records.Out++
		sc.Records.OutBytes += uint64(n)
		taken += n
		left -= n
	}
	_, err = r.push(fd, sc, out)
	r.tookAll()
	return taken, err
}

func pieceOf(v *IOV) []byte { return unsafe.Slice(v.Base, int(v.Len)) }

// push sends sealed records and keeps what the socket does not take; ready says
// that it took all.
func (r *records) push(fd int, sc *Scratch, sealed []byte) (ready bool, err error) {
	if len(sealed) == 0 {
		return true, nil
	}
	n, err := send(fd, sealed)
	if err != nil {
		r.over = true
		return false, err
	}
	if n == len(sealed) {
		return true, nil
	}
	r.sealed = sc.ends.keep(sealed[n:])
	r.pending = r.sealed
	return false, nil
}

// flush goes on with what push has kept; ready says that nothing is left.
func (r *records) flush(fd int, sc *Scratch) (ready bool, err error) {
	if len(r.pending) == 0 {
		return true, nil
	}
	n, err := send(fd, r.pending)
	if err != nil {
		r.over = true
		return false, err
	}
	r.pending = r.pending[n:]
	if len(r.pending) > 0 {
		return false, nil
	}
	sc.ends.giveBack(r.sealed)
	r.sealed, r.pending = nil, nil
	return true, nil
}

// The kernel's records.

func (r *records) recvKernel(fd int, sc *Scratch, b []byte) (int, error) {
	n, err := recv(fd, b)
	sc.Filled = n == len(b)
	sc.Records.InBytes += uint64(n)
	errno, failed := err.(unix.Errno) // not errors.As, which allocates
	switch {
	case !failed:
		return n, err
	case errno == unix.EIO: // a record that is no data waits
		tickets, updates := r.in.Tickets, r.in.KeyUpdates
		err = r.in.ReadControl(fd)
		sc.Records.Tickets += r.in.Tickets - tickets
		sc.Records.KeyUpdates += r.in.KeyUpdates - updates
		sc.Filled = err == nil
		return 0, r.failed(fd, err)
	default:
		return 0, r.failed(fd, tlsrec.KernelError(errno))
	}
}

// answerKernel sends the KeyUpdate that the other side has asked for; ready says that
// data may follow.
func (r *records) answerKernel(fd int) (ready bool, err error) {
	if !r.in.Asked || r.kernel == nil {
		return true, nil
	}
	switch err := r.kernel.UpdateOut(fd); err {
	case nil:
		r.in.Asked = false
		return true, nil
	case unix.EAGAIN:
		return false, nil
	default:
		r.over = true
		return false, kernelSendError(err)
	}
}

func (r *records) sendVKernel(fd int, sc *Scratch, iov []IOV) (int, error) {
	if ready, err := r.answerKernel(fd); !ready {
		return 0, err
	}
	n, err := sendV(fd, iov)
	sc.Records.OutBytes += uint64(n)
	return n, kernelSendError(err)
}

// kernelSendError is what a failed send says. What the kernel found wrong with a
// record it received is an error of the socket, and whichever call comes first
// gets it: it must not be lost because that was a send.
func kernelSendError(err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return tlsrec.KernelError(errno)
	}
	return err
}

// sendKernel sends b; with a unit, each record by a call of its own, since a call
// is what ends a record.
func (r *records) sendKernel(fd int, sc *Scratch, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if ready, err := r.answerKernel(fd); !ready {
		return 0, err
	}
	taken := 0
	for taken < len(b) {
		n := len(b) - taken
		if r.unit > 0 {
			n = r.nextRecord(n)
		}
		m, err := send(fd, b[taken:taken+n])
		taken += m
		r.began(m)
		sc.Records.OutBytes += uint64(m)
		if err != nil || m < n {
			return taken, kernelSendError(err)
		}
	}
	r.tookAll()
	return taken, nil
}
