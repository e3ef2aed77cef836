package results

import (
	"fmt"
	"slices"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// HostStats is one client host's share of some trials that several sent.
type HostStats struct {
	Agent, Host, CPUs       string
	SendFlows, ReceiveFlows int // of the last trial
	Trials                  int
	AtLimit                 int // trials in which this host was at its own limit

	SentBps, DeliveredBps         stat.Summary
	SentPackets, DeliveredPackets uint64  // of all trials
	SentShare, DeliveredShare     float64 // of what all hosts sent and received; NaN if that is nothing

	Busiest  float64
	Pacing   measure.Histogram // of all trials
	Lateness measure.Histogram
	LimitBps float64 // least offered rate at which the host is at its limit; 0 if not known
}

// hostStats are the hosts of some trials, in the order in which they are first
// met; none where one host sent every load.
func hostStats(trials []*Trial) ([]*HostStats, error) {
	type values struct {
		sent, delivered  []float64
		pacing, lateness []measure.Histogram
	}
	of := map[string]*values{}
	var hosts []*HostStats
	for _, t := range trials {
		if !t.OK() {
			continue
		}
		for _, h := range t.Load.Hosts {
			at := slices.IndexFunc(hosts, func(s *HostStats) bool { return s.Agent == h.Agent })
			if at < 0 {
				at = len(hosts)
				hosts = append(hosts, &HostStats{Agent: h.Agent})
				of[h.Agent] = new(values)
			}
			s, v := hosts[at], of[h.Agent]
			s.Host, s.CPUs, s.SendFlows, s.ReceiveFlows = h.Host, h.CPUs, h.SendFlows, h.ReceiveFlows
			s.Trials++
			s.SentPackets += h.SentPackets
			s.DeliveredPackets += h.DeliveredPackets
			s.Busiest = max(s.Busiest, h.Busiest)
			if s.LimitBps == 0 || h.LimitBps > 0 && h.LimitBps < s.LimitBps {
				s.LimitBps = h.LimitBps
			}
			if t.Kind != KindCalibration && hostAtLimit(t, &h) {
				s.AtLimit++
			}
			v.sent, v.delivered = append(v.sent, h.SentBps), append(v.delivered, h.DeliveredBps)
			v.pacing, v.lateness = append(v.pacing, h.Pacing), append(v.lateness, h.Lateness)
		}
	}
	var sent, delivered uint64
	for _, s := range hosts {
		sent, delivered = sent+s.SentPackets, delivered+s.DeliveredPackets
	}
	for _, s := range hosts {
		v := of[s.Agent]
		s.SentBps, s.DeliveredBps = stat.Summarize(v.sent), stat.Summarize(v.delivered)
		s.SentShare, s.DeliveredShare = float64(s.SentPackets)/float64(sent), float64(s.DeliveredPackets)/float64(delivered)
		var err error
		if s.Pacing, err = measure.MergeHistograms(v.pacing...); err != nil {
			return nil, err
		}
		if s.Lateness, err = measure.MergeHistograms(v.lateness...); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

// hostAtLimit reports whether something waited for a host in a trial that was not
// carried.
func hostAtLimit(t *Trial, h *measure.ClientHost) bool {
	s := h.Strain
	switch {
	case CauseOf(t) == Carried:
		return false
	case s == nil:
		return h.Busiest > formerMaxBusy
	}
	return leftUnread(unread(s)) ||
		!t.Load.Offered.IsMax() && portion(float64(s.DueUnsent), float64(t.Load.UnsentPackets)) >= clientHeld
}

// HostTable is what each client host had in the trials; nil where one host sent
// every load.
func HostTable(trials []*Trial) (*Table, error) {
	var of []*Trial
	for _, t := range trials {
		if t.Kind == KindTrial {
			of = append(of, t)
		}
	}
	hosts, err := hostStats(of)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	t := &Table{
		Title: "The client hosts, each one's share of all trials", Keys: 1,
		Columns: []Column{
			{Head: "Client", Left: true}, {Head: "Host", Left: true}, {Head: "CPUs", Left: true},
			{Head: "sent\n%", Full: "sent, % of all"}, {Head: "deliv.\n%", Full: "delivered, % of all"},
			{Head: "Busiest\nthread %"}, {Head: "pacing\np99"}, {Head: "late\np99", Full: "lateness p99"},
			{Head: "Limit\nMbps", Full: "own limit, Mbps offered to all"}, {Head: "at limit\ntrials", Full: "trials at its limit"},
		},
		Notes: []string{
			"A flow is sent by one host and received by another. Limit is the rate offered to all hosts together at which this one would be at its own; a host is at its limit in a trial that was not carried where packets waited for it.",
		},
	}
	for _, h := range hosts {
		limit := na
		if h.LimitBps > 0 {
			limit = mbps(h.LimitBps)
		} else {
			t.addNote("Limit n/a: no calibration, or the host has no share of the load.")
		}
		t.Rows = append(t.Rows, []string{
			h.Agent, h.Host, h.CPUs, percent(h.SentShare), percent(h.DeliveredShare), percent(h.Busiest),
			duration(h.Pacing.P99NS, h.Pacing.Count), duration(h.Lateness.P99NS, h.Lateness.Count), limit, fmt.Sprintf("%d/%d", h.AtLimit, h.Trials),
		})
	}
	return t, nil
}
