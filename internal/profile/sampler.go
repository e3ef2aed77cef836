package profile

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readEvery is how often the rings are emptied.
const readEvery = 50 * time.Millisecond

// Sampler samples a process. It is opened ahead of time, started and stopped once,
// then asked for what it has.
type Sampler struct {
	cfg   Config
	taps  *taps
	world *world
	got   *stacks

	lost      uint64
	throttled uint64
	threads   map[uint32]bool // sampled
	processes map[uint32]bool

	began   time.Time
	seconds float64
	cpu     time.Duration // of the goroutine that reads
	err     error         // of reading; read after done
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
}

// Open attaches to a process, its threads and descendants, without sampling yet.
func Open(c Config) (*Sampler, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	t, err := attach(c)
	if err != nil {
		return nil, fmt.Errorf("sample process %d: %w", c.PID, err)
	}
	return &Sampler{
		cfg: c, taps: t, world: newWorld(), got: newStacks(maxStacks),
		threads: map[uint32]bool{}, processes: map[uint32]bool{},
		stop: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// Event is what is sampled: cycles or cpu-clock.
func (s *Sampler) Event() string { return s.taps.event.Name }

// Start begins sampling.
func (s *Sampler) Start() error {
	if err := s.taps.enable(); err != nil {
		return fmt.Errorf("sample process %d: %w", s.cfg.PID, err)
	}
	s.began = time.Now()
	// Read now: what is mapped from here on is in the rings.
	for _, pid := range s.taps.pids() {
		s.world.readProcess(pid)
	}
	go s.read()
	return nil
}

// read empties the rings until Stop, or until one cannot be read. It has a thread
// of its own, so that what it costs can be told.
func (s *Sampler) read() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadCPU()
	defer func() { s.cpu = threadCPU() - before }()
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	h := s.handler()
	for last := false; s.err == nil && !last; {
		select {
		case <-tick.C:
		case <-s.stop:
			last = true
		}
		s.err = s.taps.read(h)
	}
}

func threadCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (s *Sampler) handler() *handler {
	return &handler{
		sample: func(r *sampleRecord) {
			// A thread that was started by one already attached to, before it was
			// attached to itself, is sampled twice: only its own samples count.
			if tid, direct := s.taps.byID[r.id]; !direct || tid != r.tid && s.taps.direct[r.tid] {
				return
			}
			s.threads[r.tid], s.processes[r.pid] = true, true
			s.got.add(s.world.program(r.pid), r)
		},
		mapped:   s.world.mapped,
		comm:     s.world.comm,
		fork:     s.world.fork,
		lost:     func(n uint64) { s.lost += n },
		throttle: func() { s.throttled++ },
	}
}

// gone is closed when reading has failed; Stop has the error.
func (s *Sampler) gone() <-chan struct{} { return s.done }

// Stop ends sampling.
func (s *Sampler) Stop() error {
	if s.began.IsZero() {
		return errors.New("the sampler was not started")
	}
	var err error
	s.once.Do(func() {
		s.seconds = time.Since(s.began).Seconds()
		err = s.taps.disable()
		close(s.stop)
	})
	<-s.done
	for _, pid := range s.taps.pids() {
		s.world.readThreads(pid) // that have come since
	}
	if err = errors.Join(err, s.err); err != nil {
		return fmt.Errorf("sample process %d: %w", s.cfg.PID, err)
	}
	return nil
}

// Close frees what the sampler holds. What Resolve returned stays.
func (s *Sampler) Close() error {
	var err error
	if !s.began.IsZero() {
		err = s.Stop()
	}
	return errors.Join(err, s.taps.close(), s.world.close())
}
