package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"gonum.org/v1/gonum/stat"

	"hdbench/internal/lab/byhand"
	"hdbench/internal/units"
	"hdbench/results"
)

// off is how far a throttled client's delivered rate may be from the unthrottled
// one's without a mark.
const off = 0.02

// throttles are the shares of a CPU that the client is given.
var throttles = []float64{1, 0.70, 0.50, 0.35, 0.25}

// throttled sweeps with a client that is given ever less of a CPU. What it then
// delivers either agrees with what it delivers when it has all, or is marked.
func throttled(ctx context.Context, b *bench, rounds int) (results.Table, bool, error) {
	table := results.Table{
		Title: "A throttled client: is marked what is off, and nothing else?", Keys: 1,
		Columns: []results.Column{{Head: "share of\na CPU"}, {Head: "trials"}, {Head: "off by more\nthan 2 %"}, {Head: "of them\nmarked"}, {Head: "carried"}, {Head: "of them\nmarked"}, {Head: "between"}, {Head: "", Left: true}},
		Notes:   []string{"hd over tcp at rates that the client carries unthrottled. Marked is a trial whose throughput is not trusted. Between are those of which more is missing than a trial that is carried may miss, and which are off by no more than 2 %: they may be marked. A client that was behind when the window began delivers more in it than is offered: what was carried is not off by that."},
	}
	relay, err := b.external("unthrottled", b.group.back()+"\n"+b.execHD())
	if err != nil {
		return table, false, err
	}
	s := swept{scenario: b.scenario("throttled", relay, "", b.hd/10, b.hd/4, b.hd/2, b.hd*7/10), shell: b.group.into()}
	free := map[units.Rate][]float64{}
	ok := true
	var kept *results.Trial
	rounds = max(1, min(rounds, 5))
	for i, share := range append([]float64{0}, throttles...) {
		if err := b.group.limit(share); err != nil {
			return table, false, err
		}
		var n, wrong, wrongMarked, right, rightMarked, between int
		for round := range rounds {
			say("throttled client, %.0f %% of a CPU (0: no quota), %d of %d sweeps", 100*share, i*rounds+round+1, (len(throttles)+1)*rounds)
			_, set, err := b.run(ctx, s)
			if err != nil {
				return table, false, err
			}
			for _, t := range set.Trials {
				if t.Kind != results.KindTrial || !t.OK() {
					continue
				}
				if share == 0 {
					free[t.Point.Offered] = append(free[t.Point.Offered], t.Load.DeliveredBps)
					continue
				}
				marked := !t.Trusts(results.Throughput)
				if b.keep != "" && results.CauseOf(t) == results.ByClient && t.Load.Strain.Blocked > 0.05 {
					kept = t
				}
				n++
				short := 1 - t.Load.DeliveredBps/median(free[t.Point.Offered])
				switch {
				case short > off, -short > off && t.Missing() > results.CarriedBound:
					if wrong++; marked {
						wrongMarked++
					} else {
						table.Notes = append(table.Notes, fmt.Sprintf("%.0f %% of a CPU, at %v: delivered %.0f Mbps, %.0f unthrottled, not marked: %s: %s.",
							100*share, t.Point.Offered, t.Load.DeliveredBps/1e6, median(free[t.Point.Offered])/1e6, results.CauseOf(t), results.EvidenceOf(t)))
					}
				case t.Missing() <= results.CarriedBound:
					if right++; marked {
						rightMarked++
						table.Notes = append(table.Notes, fmt.Sprintf("%.0f %% of a CPU, at %v: carried, and marked: %v.", 100*share, t.Point.Offered, t.Validity))
					}
				default:
					between++
				}
			}
		}
		if share == 0 {
			continue
		}
		held := wrong == wrongMarked && rightMarked == 0
		ok = ok && held
		table.Rows = append(table.Rows, []string{
			fmt.Sprintf("%.0f %%", 100*share), strconv.Itoa(n), strconv.Itoa(wrong), strconv.Itoa(wrongMarked), strconv.Itoa(right), strconv.Itoa(rightMarked), strconv.Itoa(between), verdict(held),
		})
	}
	if kept != nil {
		if err := keepTrial(b.keep, "client that stands still", kept); err != nil {
			return table, false, err
		}
	}
	return table, ok, b.group.limit(0)
}

func median(v []float64) float64 {
	return stat.Quantile(0.5, stat.Empirical, slices.Sorted(slices.Values(v)), nil)
}

// A stopped client stands still for stopFor of every stopEvery.
const (
	stopFor   = 12 * time.Millisecond
	stopEvery = 25 * time.Millisecond
)

// stopped drives hd with a client that is stopped and continued all the time. Its
// lateness is to be seen, its latency is not to be trusted; what it carries, counts.
func stopped(ctx context.Context, b *bench, rounds int) (results.Table, bool, error) {
	table := results.Table{
		Title: "A client that is stopped for 12 ms of every 25", Keys: 1,
		Columns: []results.Column{{Head: "offered\nMbps"}, {Head: "pacing p99\nms"}, {Head: "latency", Left: true}, {Head: "missing"}, {Head: "throughput", Left: true}, {Head: "cause", Left: true}, {Head: "", Left: true}},
		Notes:   []string{"Wanted: pacing p99 of 10 ms at least, latency not trusted; throughput trusted where it was carried, and not where the client is the cause."},
	}
	ok := true
	for range max(1, min(rounds, 3)) {
		for _, rate := range []units.Rate{b.hd / 20, b.hd / 4, b.hd * 7 / 10} {
			rate = roundRate(rate)
			live, err := byhand.Relay{Hdbench: b.hdbench, Transport: "tcp", Workers: 1, CPUs: b.relayCPU}.Start(ctx)
			if err != nil {
				return table, false, err
			}
			say("stopped client at %v", rate)
			m, err := byhand.Load{
				Hdbench: b.hdbench, Transport: "tcp", CPUs: b.clientCPU, Rate: rate, Measure: 2 * time.Second, During: stopAndGo,
			}.Run(ctx, live.Addr)
			live.Stop()
			if err != nil {
				return table, false, err
			}
			t := &results.Trial{Kind: results.KindTrial, Load: m, Point: results.Point{Offered: rate}}
			t.Validity = results.Judge(t)
			cause := results.CauseOf(t)
			late := time.Duration(m.Pacing.P99NS)
			trusted := t.Trusts(results.Throughput)
			held := late >= 10*time.Millisecond && !t.Trusts(results.Latency) &&
				trusted == (cause == results.Carried) && slices.Contains([]results.Cause{results.Carried, results.ByClient}, cause)
			ok = ok && held
			table.Rows = append(table.Rows, []string{
				fmt.Sprintf("%.0f", float64(rate)/1e6), fmt.Sprintf("%.1f", late.Seconds()*1e3), trust(t.Trusts(results.Latency)),
				fmt.Sprintf("%.2f %%", 100*t.Missing()), trust(trusted), string(cause), verdict(held),
			})
		}
	}
	return table, ok, nil
}

func trust(yes bool) string {
	if yes {
		return "trusted"
	}
	return "not trusted"
}

// stopAndGo stops and continues a process until ctx ends.
func stopAndGo(ctx context.Context, pid int) {
	fd, err := unix.PidfdOpen(pid, 0) // its number may be another's later
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	defer unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
	for ctx.Err() == nil {
		if unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0) != nil {
			return
		}
		time.Sleep(stopFor)
		_ = unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
		time.Sleep(stopEvery - stopFor)
	}
}
