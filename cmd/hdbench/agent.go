package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hdbench/internal/fleet"
)

func newAgent(s *streams) *cobra.Command {
	var c fleet.AgentConfig
	var credential string
	cmd := &cobra.Command{
		Use:   "agent --nats URL --credential FILE",
		Short: "serve a controller: start relays and loads on this host",
		Long: `Serve the controller of a sweep on this host. A sweep starts its agents itself.

An agent is a lease: when the controller or the connection to it has gone, it
ends the relays and loads it has started, and exits.`,
		Example: "  hdbench agent --nats nats://127.0.0.1:4222 --name relay-1 --credential token.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, token, err := readCredential(cmd.Context(), s, credential)
			if err != nil {
				return badInput(fmt.Errorf("agent: %w", err))
			}
			c.Token, c.Version = token, version()
			if c.Binary, err = os.Executable(); err != nil {
				return failed(fmt.Errorf("agent: %w", err))
			}
			if err := fleet.RunAgent(ctx, c); err != nil {
				return failed(fmt.Errorf("agent %s: %w", c.Name, err))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.URL, "nats", "", "URL of the controller's nats-server")
	f.StringVar(&c.Name, "name", "agent", "name of this agent, one for each")
	f.StringVar(&credential, "credential", "", "file with the token for the nats-server; - reads it from stdin, whose end then ends the agent")
	cmd.MarkFlagRequired("nats")
	cmd.MarkFlagRequired("credential")
	return cmd
}

// readCredential reads the token. From stdin it is the first line, and the
// context it returns ends with the rest.
func readCredential(ctx context.Context, s *streams, file string) (context.Context, string, error) {
	if file != "-" {
		b, err := os.ReadFile(file)
		if err == nil && len(strings.TrimSpace(string(b))) == 0 {
			err = fmt.Errorf("credential %s: the file is empty", file)
		}
		return ctx, strings.TrimSpace(string(b)), err
	}
	in := bufio.NewReader(s.in)
	line, err := in.ReadString('\n')
	if err != nil {
		return ctx, "", errors.New("credential: nothing on stdin")
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, strings.TrimSpace(line), nil
}
