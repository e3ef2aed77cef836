package results

import (
	"time"

	"hdbench/internal/measure"
)

// Environment is where and with what a sweep was run.
type Environment struct {
	Schema   int            `json:"schema"`
	Hdbench  string         `json:"hdbench"` // version
	Started  time.Time      `json:"started"`
	Command  []string       `json:"command"` // as typed
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Hosts    []HostEntry    `json:"hosts"`
	Relays   []RelayVersion `json:"relays"`
	Line     *measure.Line  `json:"line,omitempty"` // of the network between the hosts; nil if it was not looked at
	// Interleaved says that this folder is one of two that were measured in turn,
	// trial by trial.
	Interleaved *Interleaved `json:"interleaved,omitempty"`
}

// HostEntry is one agent's host and what it is for.
type HostEntry struct {
	Agent string       `json:"agent"`
	Roles []string     `json:"roles"` // relay, client
	CPUs  string       `json:"cpus"`  // given to the role
	Data  string       `json:"data_address,omitempty"`
	Host  measure.Host `json:"host"`
	// SSH is where the agent was started, without the user; empty: on the
	// controller's host, or by somebody else.
	SSH string `json:"ssh,omitempty"`
	// NATS is where an agent that somebody else had started was found.
	NATS string `json:"nats,omitempty"`
	// Limits is what the agent could not do as the user it was.
	Limits string `json:"limits,omitempty"`
}

// RelayVersion is a relay and the version it reports.
type RelayVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	NA      string `json:"na,omitempty"` // why it could not be run
}

// Interleaved is one side of a sweep that measured two builds of hd in turn.
type Interleaved struct {
	ID    string `json:"id"`    // the same on both sides, and nowhere else
	Build string `json:"build"` // BuildBase or BuildNew
	// SHA256 of the build's binary: a sweep is continued with the same.
	SHA256 string `json:"sha256"`
}

// The sides of an interleaved sweep, which are also the names of their folders.
const (
	BuildBase = "base"
	BuildNew  = "new"
)
