package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"hdbench/internal/mono"
	"hdbench/internal/probe"
	"hdbench/internal/transport"
)

// AgentConfig is what an agent is started with.
type AgentConfig struct {
	URL     string // of the controller's nats-server
	Token   string
	Name    string // one subject token
	Version string // of hdbench
	Binary  string // hdbench, for the children
}

// agent carries out a controller's orders on its host.
type agent struct {
	cfg   AgentConfig
	nc    *nats.Conn
	clock mono.Clock
	spawn *spawner
	dir   string // for files that live as long as the agent

	mu       sync.Mutex
	next     int                   // guarded by mu
	relays   map[string]*liveRelay // guarded by mu
	loads    map[string]*child     // guarded by mu
	closed   bool                  // guarded by mu
	lastBeat time.Time             // guarded by mu

	work sync.WaitGroup
}

// RunAgent serves a controller until ctx is done, the connection is lost or the
// lease runs out. Then it ends everything it has started.
func RunAgent(ctx context.Context, cfg AgentConfig) error {
	a := &agent{
		cfg: cfg, clock: mono.New(), spawn: newSpawner(),
		relays: map[string]*liveRelay{}, loads: map[string]*child{}, lastBeat: time.Now(),
	}
	var err error
	if a.dir, err = os.MkdirTemp("", "hdbench-agent-*"); err != nil {
		return err
	}
	defer os.RemoveAll(a.dir)
	defer a.endAll()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	nc, err := nats.Connect(cfg.URL, nats.Token(cfg.Token), nats.Name("hdbench agent "+cfg.Name),
		nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { cancel(errLostController) }))
	if err != nil {
		return fmt.Errorf("connect to the controller at %s: %w", cfg.URL, err)
	}
	defer nc.Close()
	a.nc = nc
	if _, err := nc.Subscribe(subjectLease, func(*nats.Msg) { a.beat() }); err != nil {
		return err
	}
	svc, err := micro.AddService(nc, micro.Config{
		Name: serviceName, Version: serviceVersion,
		Description: "starts relays and loads for a hdbench controller",
		Metadata:    map[string]string{"agent": cfg.Name, "hdbench": cfg.Version},
	})
	if err != nil {
		return err
	}
	if err := a.serve(ctx, svc); err != nil {
		return err
	}
	go a.watchLease(ctx, cancel)
	<-ctx.Done()
	if cause := context.Cause(ctx); errors.Is(cause, errLeaseOver) {
		return cause
	}
	return nil // told to end, or the controller has ended
}

var (
	errLostController = errors.New("the connection to the controller is lost")
	errLeaseOver      = errors.New("the controller has not been heard of for too long")
)

func (a *agent) beat() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastBeat = time.Now()
}

func (a *agent) watchLease(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		silent := time.Since(a.lastBeat)
		a.mu.Unlock()
		if silent > leaseTerm {
			cancel(errLeaseOver)
			return
		}
	}
}

// serve adds the endpoints.
func (a *agent) serve(ctx context.Context, svc micro.Service) error {
	for verb, h := range map[string]handler{
		verbHost:          answer(a.host),
		verbClock:         answer(a.readClock),
		verbRelayStart:    answer(a.startRelay),
		verbRelayWindow:   answer(a.relayWindow),
		verbRelayCounters: answer(a.relayCounters),
		verbRelayStop:     answer(a.stopRelay),
		verbRelayVersion:  answer(a.relayVersion),
		verbLoadPrepare:   answer(a.prepareLoad),
		verbLoadRun:       answer(a.runLoad),
		verbLoadCancel:    answer(a.cancelLoad),
		verbDoctor:        answer(a.doctor),
		verbSteal:         answer(a.steal),
	} {
		// Each request has a goroutine of its own: some take as long as a trial.
		err := svc.AddEndpoint(verb, micro.HandlerFunc(func(r micro.Request) {
			a.work.Go(func() { a.reply(r.Reply(), h(ctx, r.Data())) })
		}), micro.WithEndpointSubject(subject(a.cfg.Name, verb)))
		if err != nil {
			return fmt.Errorf("endpoint %s: %w", verb, err)
		}
	}
	return nil
}

// A handler turns a request into its answer.
type handler func(ctx context.Context, request []byte) *nats.Msg

// reply sends an answer. It goes by the connection and not by the micro.Request,
// which belongs to the service's own goroutine once Handle has returned.
func (a *agent) reply(subject string, m *nats.Msg) {
	m.Subject = subject
	// Who does not get the answer has gone; the lease sees to the rest.
	_ = a.nc.PublishMsg(m)
}

// errBadRequest marks an order that cannot be carried out as given.
var errBadRequest = errors.New("bad request")

// answer makes a handler of a function from request to answer.
func answer[Req, Resp any](do func(context.Context, Req) (Resp, error)) handler {
	return func(ctx context.Context, request []byte) *nats.Msg {
		var req Req
		if err := json.Unmarshal(request, &req); err != nil {
			return failure(fmt.Errorf("%w: %v", errBadRequest, err))
		}
		resp, err := do(ctx, req)
		if err != nil {
			return failure(err)
		}
		b, err := json.Marshal(resp)
		if err != nil {
			return failure(err)
		}
		return &nats.Msg{Data: b}
	}
}

// failure is the answer that says what went wrong, with micro's headers. The
// text is the body: a header cannot hold every text.
func failure(err error) *nats.Msg {
	code := codeFailed
	if errors.Is(err, errBadRequest) {
		code = codeBadRequest
	}
	return &nats.Msg{
		Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {code}},
		Data:   []byte(err.Error()),
	}
}

func (a *agent) host(context.Context, struct{}) (hostReply, error) {
	h, err := probe.ThisHost()
	if err != nil {
		return hostReply{}, err
	}
	if err := transport.Check(transport.KTLS); err != nil {
		h.NoKTLS = err.Error()
	}
	return hostReply{h, a.cfg.Version}, nil
}

func (a *agent) readClock(context.Context, struct{}) (clockReply, error) {
	return clockReply{a.clock.Now()}, nil
}

// newID names a child.
func (a *agent) newID(prefix string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	return fmt.Sprintf("%s-%d", prefix, a.next)
}

// endAll ends every child.
func (a *agent) endAll() {
	a.mu.Lock()
	a.closed = true
	relays, loads := a.relays, a.loads
	a.relays, a.loads = nil, nil
	a.mu.Unlock()
	for _, c := range loads {
		c.stop(0)
	}
	for _, r := range relays {
		r.child.stop(0)
	}
	a.work.Wait()
}
