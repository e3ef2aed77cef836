package results

// Cause is what kept a trial's offered rate from being carried, decided from evidence in its
// record: see docs/METHOD.md, "What stopped it".
type Cause string

// The causes. Carried is none, and a proof, however busy the client was; of the others each
// names who kept the rate from being carried.
const (
	Carried      Cause = "carried"
	RelayCPU     Cause = "relay-cpu"     // the relay used up its CPUs
	SendQueue    Cause = "send-queue"    // its queues dropped what it had CPU time for
	BackPressure Cause = "back-pressure" // it held senders back, with CPU time left
	ByClient     Cause = "client"        // the client sent late or read late
	ByLine       Cause = "line"          // the network between them was full
	Unclear      Cause = "unclear"
)
