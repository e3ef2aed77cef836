package fleet

import (
	"errors"
	"fmt"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// server is the embedded nats-server: on loopback, on a free port, for whoever
// has the run's token.
type server struct {
	ns    *natsserver.Server
	token string
}

// maxMessage bounds one answer: an hour's intervals and histograms are a few MiB.
const maxMessage = 64 << 20

func startServer(token string) (*server, error) {
	ns, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT,
		Authorization: token,
		MaxPayload:    maxMessage, MaxPending: 2 * maxMessage,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded nats-server: %w", err)
	}
	go ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		ns.Shutdown()
		return nil, errors.New("embedded nats-server: not ready within 10 s")
	}
	return &server{ns, token}, nil
}

func (s *server) url() string { return s.ns.ClientURL() }

// connect is the controller's own connection, inside the process.
func (s *server) connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), nats.Token(s.token), nats.Name("hdbench controller"))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded nats-server: %w", err)
	}
	return nc, nil
}

func (s *server) close() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}
