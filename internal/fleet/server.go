package fleet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// server is the embedded nats-server. It opens no port: whoever talks to it has
// been handed one end of a pipe, and still needs a credential of this run.
type server struct {
	ns        *natsserver.Server
	passwords map[string]string // by agent
	own       string            // the controller's password
}

// maxMessage bounds one answer: an hour's intervals and histograms are a few MiB.
const maxMessage = 64 << 20

// userController is the controller's name at the embedded server. No agent can
// have it: it is no subject token.
const userController = "the controller"

// longestAnswer is how long after a request an agent may still answer it.
const longestAnswer = 48 * time.Hour

// startServer starts a server that knows the controller and these agents.
func startServer(agents []string) (*server, error) {
	s := &server{passwords: map[string]string{}, own: rand.Text()}
	users := []*natsserver.User{{Username: userController, Password: s.own}}
	for _, a := range agents {
		s.passwords[a] = rand.Text()
		users = append(users, &natsserver.User{Username: a, Password: s.passwords[a], Permissions: agentPermissions(a)})
	}
	ns, err := natsserver.NewServer(&natsserver.Options{
		DontListen: true, Users: users,
		MaxPayload: maxMessage, MaxPending: 2 * maxMessage,
		AuthTimeout: bootTimeout.Seconds(), // over ssh to a busy host
		NoLog:       true, NoSigs: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded nats-server: %w", err)
	}
	go ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		ns.Shutdown()
		return nil, errors.New("embedded nats-server: not ready within 10 s")
	}
	s.ns = ns
	return s, nil
}

// agentPermissions let an agent hear its own orders and discovery, and send
// nothing but answers to who has asked: it can neither order another agent nor
// answer in its name.
func agentPermissions(agent string) *natsserver.Permissions {
	return &natsserver.Permissions{
		Subscribe: &natsserver.SubjectPermission{Allow: []string{subject(agent, ">"), "$SRV.>"}},
		Response:  &natsserver.ResponsePermission{MaxMsgs: 1, Expires: longestAnswer},
	}
}

// connect is the controller's own connection, inside the process.
func (s *server) connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), nats.UserInfo(userController, s.own),
		nats.Name("hdbench controller"), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded nats-server: %w", err)
	}
	return nc, nil
}

// pipe is a new way to the server, for an agent.
func (s *server) pipe() (net.Conn, error) { return s.ns.InProcessConn() }

func (s *server) close() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}
