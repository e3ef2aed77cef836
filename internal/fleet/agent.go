package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sys/unix"

	"hdbench/internal/line"
	"hdbench/internal/mono"
)

// AgentConfig is what an agent is started with.
type AgentConfig struct {
	Name    string // one subject token
	Version string // of hdbench
	Binary  string // hdbench, for the children
	Lock    string // of the host, taken for each controller; empty: none
	// Alone: the process is the agent and nothing else. Then orphans of what it has
	// started become its children, and it ends them.
	Alone bool

	// Conn and Credential are of an agent that its controller has started: it lives
	// as long as this connection, and does all that its controller asks for.
	Conn       net.Conn
	Credential string

	// NATS is of an agent that the user has started: it reconnects, serves one
	// controller after the other, and does only what Own allows.
	NATS *External
	Own  Own
	Meta Meta
	// Log gets what the agent's keeper should know, a line at a time; nil: nobody.
	Log func(string)
}

// agent carries out a controller's orders on its host.
type agent struct {
	cfg   AgentConfig
	nc    *nats.Conn
	clock mono.Clock
	spawn *spawner
	dir   string // for files that live as long as the agent
	id    string // of this agent, from its start to its end

	mu     sync.Mutex
	next   int                   // guarded by mu
	relays map[string]*liveRelay // guarded by mu
	loads  map[string]*child     // guarded by mu; nil for one cancelled before it was there
	line   *line.Server          // guarded by mu; nil but during a line check
	closed bool                  // guarded by mu
	holder holder                // guarded by mu

	work sync.WaitGroup
}

// RunAgent serves a controller until ctx is done, or what the agent lives on has
// gone: the connection or the lease of a controller that has started it. Then it
// ends everything it has started.
func RunAgent(ctx context.Context, cfg AgentConfig) error {
	if err := CheckAgentName(cfg.Name); err != nil {
		return err
	}
	if cfg.NATS != nil {
		if err := cfg.Meta.Check(); err != nil {
			return err
		}
		for _, path := range cfg.Own.Binaries {
			if _, err := HashFile(path); err != nil {
				return fmt.Errorf("binary that may be run: %w", err)
			}
		}
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	a := &agent{
		cfg: cfg, clock: mono.New(), spawn: newSpawner(), id: rand.Text(),
		relays: map[string]*liveRelay{}, loads: map[string]*child{},
	}
	a.holder.heard = time.Now()
	if a.spawn.alone = cfg.Alone; cfg.Alone {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("become the subreaper of what it starts: %w", err)
		}
	}
	dir, remove, err := tempDir("", "hdbench-agent")
	if err != nil {
		return err
	}
	a.dir = dir
	defer remove()
	defer a.endAll()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := a.connect(cancel); err != nil {
		return err
	}
	defer a.nc.Close()
	svc, err := micro.AddService(a.nc, micro.Config{
		Name: serviceName, Version: serviceVersion,
		Description: "starts relays and loads for a hdbench controller",
		Metadata:    a.metadata(),
	})
	if err != nil {
		return err
	}
	if err := a.serve(ctx, svc); err != nil {
		return err
	}
	if err := a.nc.Flush(); err != nil {
		return fmt.Errorf("tell the nats-server what the agent does: %w", err)
	}
	if cfg.NATS != nil {
		cfg.Log(fmt.Sprintf("is ready: %s at %s", cfg.Meta.Role, a.nc.ConnectedUrlRedacted()))
	}
	go a.watchLease(ctx, cancel)
	<-ctx.Done()
	if cause := context.Cause(ctx); errors.Is(cause, errLeaseOver) || errors.Is(cause, errRefused) {
		return cause
	}
	return nil // told to end, or the controller has ended
}

var (
	errLostController = errors.New("the connection to the controller is lost")
	errLeaseOver      = errors.New("the controller has not been heard of for too long")
	errRefused        = errors.New("the nats-server does not let the agent do its work")
)

// connect connects to the controller's nats-server, or to the user's.
func (a *agent) connect(cancel context.CancelCauseFunc) error {
	name := nats.Name("hdbench agent " + a.cfg.Name)
	closed := nats.ClosedHandler(func(*nats.Conn) { cancel(errLostController) })
	refused := nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		switch {
		case !errors.Is(err, nats.ErrPermissionViolation):
		case strings.Contains(err.Error(), "Publish"):
			// An answer to who asked over a connection that has broken since: the new
			// one does not know of the question. Who asked has been told.
			a.cfg.Log(fmt.Sprintf("an answer was not let through: %v", err))
		default:
			cancel(fmt.Errorf("%w: %w (an agent needs what docs/SECURITY.md lists)", errRefused, err))
		}
	})
	var err error
	if a.cfg.NATS != nil {
		a.nc, err = a.cfg.NATS.connect(name, closed, refused,
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil {
					a.cfg.Log(fmt.Sprintf("the connection to the nats-server broke: %v", err))
				}
			}),
			nats.ReconnectHandler(func(nc *nats.Conn) { a.cfg.Log("connected again, to " + nc.ConnectedUrlRedacted()) }))
		return err
	}
	a.nc, err = nats.Connect("nats://127.0.0.1", nats.SetCustomDialer(&oneConn{conn: a.cfg.Conn}),
		nats.UserInfo(a.cfg.Name, a.cfg.Credential), nats.NoReconnect(), nats.Timeout(bootTimeout), name, closed, refused)
	if err != nil {
		return fmt.Errorf("connect to the controller: %w", err)
	}
	return nil
}

// serve adds the endpoints.
func (a *agent) serve(ctx context.Context, svc micro.Service) error {
	add := func(verb string, h func(*call) *nats.Msg) error {
		// Each request has a goroutine of its own: some take as long as a trial.
		err := svc.AddEndpoint(verb, micro.HandlerFunc(func(r micro.Request) {
			c := &call{ctx: ctx, controller: r.Headers().Get(headerController), data: r.Data()}
			a.work.Go(func() { a.reply(r.Reply(), h(c)) })
		}), micro.WithEndpointSubject(subject(a.cfg.Name, verb)), micro.WithEndpointQueueGroupDisabled())
		if err != nil {
			return fmt.Errorf("endpoint %s: %w", verb, err)
		}
		return nil
	}
	for verb, h := range map[string]handler{
		verbHost:          answer(a.host),
		verbClock:         answer(a.readClock),
		verbRelayStart:    answer(a.startRelay),
		verbRelayWindow:   answer(a.relayWindow),
		verbRelayProfile:  answer(a.relayProfile),
		verbRelayCounters: answer(a.relayCounters),
		verbRelayStop:     answer(a.stopRelay),
		verbRelayVersion:  answer(a.relayVersion),
		verbRelayCheck:    answer(a.checkRelay),
		verbLoadPrepare:   answer(a.prepareLoad),
		verbLoadRun:       answer(a.runLoad),
		verbLoadDrain:     answer(a.drainLoad),
		verbLoadSettle:    answer(a.settleLoad),
		verbLoadCancel:    answer(a.cancelLoad),
		verbDoctor:        answer(a.doctor),
		verbSteal:         answer(a.steal),
		verbDistance:      answer(a.distance),
		verbLineListen:    answer(a.listenLine),
		verbLineRun:       answer(a.runLine),
		verbLineClose:     answer(a.closeLine),
		verbClear:         answer(a.clear),
	} {
		if err := add(verb, a.held(h)); err != nil {
			return err
		}
	}
	// Last: who gets an answer from these knows that all the others are there.
	if err := add(verbRelease, a.release); err != nil {
		return err
	}
	return add(verbLease, a.lease)
}

// call is a request as it came.
type call struct {
	ctx        context.Context
	controller string // who asks
	data       []byte
}

// A handler turns a request into its answer.
type handler func(ctx context.Context, request []byte) *nats.Msg

// reply sends an answer. It goes by the connection and not by the micro.Request,
// which belongs to the service's own goroutine once Handle has returned.
func (a *agent) reply(subject string, m *nats.Msg) {
	m.Subject = subject
	// Who does not get the answer has gone; the lease sees to the rest.
	if err := a.nc.PublishMsg(m); errors.Is(err, nats.ErrMaxPayload) {
		m = failure(fmt.Errorf("the answer has %d bytes, and the nats-server lets through %d: set max_payload there", len(m.Data), a.nc.MaxPayload()))
		m.Subject = subject
		_ = a.nc.PublishMsg(m)
	}
}

// errBadRequest marks an order that cannot be carried out as given.
var errBadRequest = errors.New("bad request")

// maxRequest bounds an order. The longest tells a part of a load what the others
// have sent.
const maxRequest = 16 << 20

// answer makes a handler of a function from request to answer.
func answer[Req, Resp any](do func(context.Context, Req) (Resp, error)) handler {
	return func(ctx context.Context, request []byte) *nats.Msg {
		if len(request) > maxRequest {
			return failure(fmt.Errorf("%w: %d bytes, want %d at most", errBadRequest, len(request), maxRequest))
		}
		var req Req
		if err := json.Unmarshal(request, &req); err != nil {
			return failure(fmt.Errorf("%w: %v", errBadRequest, err))
		}
		if c, ok := any(req).(interface{ check() error }); ok {
			if err := c.check(); err != nil {
				return failure(fmt.Errorf("%w: %v", errBadRequest, err))
			}
		}
		resp, err := do(ctx, req)
		if err != nil {
			return failure(err)
		}
		return success(resp)
	}
}

func success(resp any) *nats.Msg {
	b, err := json.Marshal(resp)
	if err != nil {
		return failure(err)
	}
	return &nats.Msg{Data: b}
}

// failure is the answer that says what went wrong, with micro's headers. The
// text is the body: a header cannot hold every text.
func failure(err error) *nats.Msg {
	code := codeFailed
	switch {
	case errors.Is(err, errBadRequest):
		code = codeBadRequest
	case errors.Is(err, ErrNoProfile):
		code = codeNoProfile
	case errors.Is(err, ErrHeld):
		code = codeHeld
	case errors.Is(err, ErrBusy):
		code = codeBusy
	}
	return &nats.Msg{
		Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {code}},
		Data:   []byte(err.Error()),
	}
}

// newID names a child.
func (a *agent) newID(prefix string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	return fmt.Sprintf("%s-%d", prefix, a.next)
}

// endAll ends every child, for good.
func (a *agent) endAll() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.endChildren()
	a.work.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holder.lock.release()
}

// endChildren ends every child there is.
func (a *agent) endChildren() {
	a.mu.Lock()
	relays, loads := a.relays, a.loads
	a.relays, a.loads = map[string]*liveRelay{}, map[string]*child{}
	a.mu.Unlock()
	a.keepLine(nil)
	for _, c := range loads {
		if c != nil {
			c.stop(0)
		}
	}
	for _, r := range relays {
		r.kill()
	}
}
