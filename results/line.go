package results

import (
	"fmt"

	"hdbench/internal/measure"
)

// MaxLineShare is how much of what raw TCP carries a load may take before the
// network, and not the relay, is what ends the rise.
const MaxLineShare = 0.95

// Bytes around a packet's payload, beneath TCP: DERP's header and key, and what
// TLS 1.3 adds to a record (RFC 8446, 5.2: header, type and tag).
const (
	derpOverhead      = 5 + 32
	tlsRecordOverhead = 5 + 1 + 16
	tlsRecordMax      = 16 << 10
)

// lineShares are how much of the line a trial's traffic took, to the relay and
// from it, of a host that sent and got so many payload bits per second; 0 where
// the line is not known. With round trips every packet goes both ways.
func lineShares(c Config, sent, delivered, toRelay, fromRelay float64) (to, from float64) {
	if c.Load.RTT {
		sent, delivered = sent+delivered, sent+delivered
	}
	payload := float64(c.Load.PayloadBytes)
	frame := payload + derpOverhead
	up, down := frame, frame
	if c.Transport != "tcp" {
		// A client's records carry whole frames, a relay's are full at best.
		up += tlsRecordOverhead / float64(max(c.FramesPerRecord, 1))
		down += tlsRecordOverhead * frame / tlsRecordMax
	}
	if toRelay > 0 {
		to = sent * up / payload / toRelay
	}
	if fromRelay > 0 {
		from = delivered * down / payload / fromRelay
	}
	return to, from
}

// lineFull finds whether the trial touched what the network carries.
func lineFull(t *Trial) []Finding {
	l := t.Load
	if t.Kind == KindCalibration { // which does not use it
		return nil
	}
	hosts := append([]measure.ClientHost{{
		SentBps: l.SentBps, DeliveredBps: l.DeliveredBps, LineToRelayBps: t.LineToRelayBps, LineFromRelayBps: t.LineFromRelayBps,
	}}, l.Hosts...)
	for _, h := range hosts {
		to, from := lineShares(t.Point.Config, h.SentBps, h.DeliveredBps, h.LineToRelayBps, h.LineFromRelayBps)
		who := "the clients"
		if h.Agent != "" {
			who = h.Agent
		}
		switch {
		case to >= MaxLineShare:
			return []Finding{{NicLimited, fmt.Sprintf("%s sent %.0f %% of what the line to the relay carries", who, 100*to)}}
		case from >= MaxLineShare:
			return []Finding{{NicLimited, fmt.Sprintf("%s received %.0f %% of what the line from the relay carries", who, 100*from)}}
		}
	}
	return nil
}
