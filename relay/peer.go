package relay

import (
	"golang.org/x/time/rate"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// peer is one connection of a worker.
type peer struct {
	sock transport.Socket
	key  derp.Key
	ref  sourceRef // of this peer, as a source

	// Receiving.
	carry derp.Carry // the unfinished frame of the last read
	skip  int        // bytes of a frame of no interest still to come
	route route      // where the last packet went

	// Sending.
	runs      runList                 // in this round, not yet sent
	dirty     bool                    // in worker.dirty
	q         queue                   // what the socket did not take
	gate      gate                    // of sources that wait for q, with OnFull Pause
	fullSince int64                   // CLOCK_MONOTONIC ns at which q became full, until it is half empty; 0 if not
	slow      bool                    // was full for longer than Config.PauseLimit
	told      [MaxWorkers / 64]uint64 // workers that know the gate is closed
	lastHeard derp.Key                // the source last noted in heardFrom, if from another worker
	hearer    uint32                  // its number in worker.heard; 0 until it has heard somebody

	waits     *waiting // gates this source waits at
	pauses    int      // how many these are
	tickets   tickets  // of gates that have let it in
	readIn    uint32   // the pass it was last read in
	watched   uint32   // epoll conditions in effect
	closed    bool
	vain      int  // reads in a row that brought nothing
	held      bool // not watched for reading: see inVain
	spoke     bool // something was received since the last chores
	preferred bool

	dup                     bool  // another connection has the same key
	spokeBefore, spokeAfter *peer // of those with the same key: see entry

	nextKeepAlive int64         // CLOCK_MONOTONIC ns
	silentSince   int64         // with half a TLS record; 0 if not
	notHere       *rate.Limiter // of PeerGone answers to unknown destinations; nil until needed
}

// backedUp reports whether something waits for the socket to take it.
func (p *peer) backedUp() bool { return !p.q.empty() || p.sock.Pending() }

// route caches where the packets for one destination key go.
type route struct {
	dst    derp.Key
	entry  *entry // of dst
	kind   routeKind
	local  *peer
	worker int32
}

// holds reports whether the route is still right: its key's packets go where they
// went.
func (r *route) holds() bool { return r.entry.active == r.local }

type routeKind uint8

const (
	routeUnknown routeKind = iota
	routeLocal
	routeRemote
	routeDup
)

// run is consecutive bytes of whole frames for one destination, in a receive
// buffer or a ring.
type run struct {
	b       []byte
	packets int // RecvPacket frames among them
	src     sourceRef
	next    int32 // the destination's next run, -1 at the end
}

// runList is a destination's runs, as indices into worker.runs.
type runList struct{ first, last int32 }

const noRun = -1
