package results

// Outcome is what became of a trial's offered rate, decided from evidence in its
// record: see docs/METHOD.md, "What stopped it".
type Outcome string

// The outcomes. Carried is a proof, however busy the client was; of the others each
// names who kept the rate from being carried.
const (
	Carried      Outcome = "carried"
	RelayCPU     Outcome = "relay-cpu"     // the relay used up its CPUs
	SendQueue    Outcome = "send-queue"    // its queues dropped what it had CPU time for
	BackPressure Outcome = "back-pressure" // it held senders back, with CPU time left
	ByClient     Outcome = "client"        // the client sent late or read late
	ByLine       Outcome = "line"          // the network between them was full
	Unclear      Outcome = "unclear"
)
