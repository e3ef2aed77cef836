package relay

// What a worker forwards comes from its own sockets and, through rings, from the
// sources of other workers. Its time is shared by source, whichever worker that
// is of: a pass gives each socket that has something one read, and each ring as
// many bytes as such reads bring, times the sources behind it. A pass mostly is a
// round. It goes on for several where a ring does not hold all that is due to it
// and its producer has more; what has been read in it is then not read again.
//
// What a record takes beyond the share is owed in the next pass (deficit round
// robin, Shreedhar and Varghese 1995).

// mostShare is what a source behind a ring gets in a pass in which no socket is
// read.
const mostShare = usualRead

// inlet is a worker's end of the ring from another one.
type inlet struct {
	ring *ring // nil: from itself
	from int32
	pos  uint64 // what lies before is routed; released with the next flush
	due  int    // bytes it may still give in this pass; negative: owed
	late bool   // a pass has waited for it in vain, and it has given nothing since

	// The sources behind the ring take turns in it. So they are counted from one
	// coming round again to the next. Those that bring next to nothing do not
	// count: others would use their shares.
	seen    []uint32 // by slot: the cycle in which a source was last seen
	cycle   uint32
	last    int32 // the source last seen
	turn    int   // bytes it has brought since
	counted int   // in this cycle so far, without the last one
	sources int   // in the last whole one
	most    int   // the longest turn of this cycle
	mostAgo int   // and of the one before
}

// count notes a record of n bytes of the source in this slot.
func (in *inlet) count(slot int32, n int) {
	if slot == in.last && in.turn > 0 && in.turn+n <= arenaBytes {
		in.turn += n // of the same read
		return
	}
	if in.turn > 0 && in.turn >= in.mostAgo/16 {
		in.counted++
	}
	in.most = max(in.most, in.turn)
	in.last, in.turn = slot, n
	if int(slot) >= len(in.seen) {
		in.seen = append(in.seen, make([]uint32, int(slot)+1-len(in.seen))...)
	}
	if in.seen[slot] == in.cycle {
		in.sources, in.counted = in.counted, 0
		in.mostAgo, in.most = in.most, 0
		in.cycle++
	}
	in.seen[slot] = in.cycle
}

// behind is how many sources there are behind the ring, at least one.
func (in *inlet) behind() int { return max(in.sources, in.counted, 1) }

// passState is how far a worker has come in a pass.
type passState struct {
	number  uint32 // from 1
	reads   int    // sockets read
	bytes   int    // that these brought
	squares int    // sum of their squares
	before  int    // sockets read in the pass before
	untaken int    // bytes read since the rings were last looked at

	skipped bool // in this round a socket was not read because it has been in this pass
	moved   bool // in this round something was read or taken
	idle    int  // rounds in a row in which a socket was not read, and nothing else was
}

// noteRead notes that a socket has brought n bytes.
func (s *passState) noteRead(n int) {
	s.moved = true
	s.reads++
	s.bytes += n
	s.squares += n * n
	s.untaken += n
}

// takeBetween takes from the rings, amid the reading of sockets, what is
// proportionate to what these have brought: whoever shares a destination with
// others finds its room used up as often as they do.
func (w *worker) takeBetween() {
	s := &w.pass
	if s.untaken < usualRead {
		return
	}
	for i := range w.in {
		if in := &w.in[i]; in.ring != nil && in.due > 0 && !in.ring.empty() {
			w.take(in, s.untaken*in.behind()/max(1, s.before))
		}
	}
	s.untaken = 0
}

// takeFirst lets the sources behind rings be the first of a round as often as the
// sockets are, so many of which are ready.
func (w *worker) takeFirst(sockets int) {
	all := sockets
	for i := range w.in {
		if in := &w.in[i]; in.ring != nil && !in.ring.empty() {
			all += in.behind()
		}
	}
	if all == sockets {
		return
	}
	turn := w.first % all
	for i := range w.in {
		in := &w.in[i]
		if in.ring == nil || in.ring.empty() {
			continue
		}
		if turn < in.behind() {
			w.take(in, usualRead)
			return
		}
		turn -= in.behind()
	}
}

// takeOver takes from the rings what is left for this pass, a ring's worth at most.
func (w *worker) takeOver() {
	for i := range w.in {
		if in := &w.in[i]; in.ring != nil && in.due > 0 && !in.ring.empty() {
			w.take(in, len(in.ring.buf))
		}
	}
	w.pass.untaken = 0
}

// take routes records of a ring, up to a number of bytes and to what is due to it
// in this pass.
func (w *worker) take(in *inlet, bytes int) {
	for bytes > 0 && in.due > 0 {
		rec, after, ok := in.ring.next(in.pos, in.from)
		if !ok {
			return
		}
		in.late = false
		in.count(rec.src.slot, len(rec.frames))
		in.due -= len(rec.frames)
		bytes -= len(rec.frames)
		w.takeRecord(in, rec, after)
	}
}

// takeAll routes what is in a ring now, whosesoever it is.
func (w *worker) takeAll(in *inlet) {
	for end := in.ring.tail.Load(); in.pos < end; {
		rec, after, ok := in.ring.next(in.pos, in.from)
		if !ok {
			return
		}
		w.takeRecord(in, rec, after)
	}
}

func (w *worker) takeRecord(in *inlet, rec record, after uint64) {
	w.pass.moved = true
	w.deliver(rec)
	// Not before: a flush in between gives the ring all before pos, and the
	// record is still to be sent.
	in.pos = after
	w.taken += len(rec.frames)
	if w.taken >= arenaBytes {
		w.flush()
	}
}

// release gives the rings back what has been sent from them.
func (w *worker) release() {
	w.taken = 0
	for i := range w.in {
		in := &w.in[i]
		if in.ring == nil || in.ring.head.Load() == in.pos {
			continue
		}
		if in.ring.release(in.pos) {
			w.srv.workers[i].wakeIfAsleep(&w.c)
		}
	}
}

const (
	// ringPatience is for how many rounds, each after a nap, a pass waits for a
	// worker that has more for it: some 3 ms, or longer where another program has
	// the CPUs. That worker moves what it has after each read of its own, so it is
	// kept from it only by other programs.
	ringPatience = 100
	ringNap      = int64(30e3)
	// mostDue is how much stays due, after that, to a ring whose worker was late:
	// what some 10 ms bring.
	mostDue = 32 << 20
)

// endPass begins the next pass if this one is over; full says that more sockets
// may be ready than this round was told of.
func (w *worker) endPass(full bool) {
	s := &w.pass
	if s.moved || !s.skipped {
		s.idle = 0
	} else {
		s.idle++
	}
	patient := s.idle <= ringPatience
	short := false // a ring has more than its share
	for i := range w.in {
		in := &w.in[i]
		switch {
		case in.ring == nil || in.ring.empty() && !in.ring.behind.Load():
		case in.due <= 0:
			short = true
		case in.late:
		case patient:
			w.backlog = true
			return
		default:
			in.late = true
		}
	}
	w.backlog = w.backlog || short
	if short && full && s.moved {
		return
	}
	share := w.share()
	for i := range w.in {
		in := &w.in[i]
		if in.ring == nil {
			continue
		}
		if !in.ring.behind.Load() {
			in.due = min(in.due, 0) // it had no more
		}
		in.due = min(in.due+in.behind()*share, max(mostDue, in.behind()*share))
	}
	*s = passState{number: s.number + 1, before: s.reads}
}

// share is how many bytes the next pass gives each source behind a ring: what a
// read has brought in this one. It is the mean as a byte sees it, so that sockets
// that bring little do not count for much. While they all do nothing is short,
// and rings may go empty at once.
func (w *worker) share() int {
	if w.pass.bytes == 0 {
		return mostShare
	}
	least := mostShare / 2
	if b := w.cfg.SocketBuffer; b > 0 {
		least = min(least, b)
	}
	return max(w.pass.squares/w.pass.bytes, least)
}
