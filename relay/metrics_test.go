package relay

import (
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Each number of a worker is one metric, named as in the JSON of a Snapshot: two that are
// swapped, and one that is forgotten, fail here.
func TestEachCounterOfAWorkerIsItsMetric(t *testing.T) {
	var w WorkerSnapshot
	want := map[string]float64{}
	next := 100
	var number func(v reflect.Value, of string)
	number = func(v reflect.Value, of string) {
		for i := range v.NumField() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			key = of + key
			next++
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				number(f, key+".")
				continue
			case reflect.Uint64:
				f.SetUint(uint64(next))
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(next))
			default:
				continue // by reason
			}
			want[key] = float64(next)
		}
	}
	number(reflect.ValueOf(&w).Elem(), "")
	for _, key := range []string{"worker", "adopted", "left", "records.tickets"} {
		delete(want, key) // the label; what peers says; what nobody has asked for
	}

	// What is called otherwise than in a Snapshot.
	names := map[string]string{
		"recv_calls": "recvs", "send_calls": "sends", "moderated_waits": "moderated", "source_pauses": "pauses",
		"tls_records_in": "records.in", "tls_records_out": "records.out", "tls_bytes_in": "records.in_bytes", "tls_bytes_out": "records.out_bytes",
		"tls_keys_changed": "records.key_updates",
	}
	ch := make(chan prometheus.Metric, 100)
	collectWorker(ch, w)
	close(ch)
	for m := range ch {
		var text dto.Metric
		if err := m.Write(&text); err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(m.Desc().String(), `fqName: "hdbench_relay_`)
		name, _, _ = strings.Cut(name, `"`)
		key := strings.TrimSuffix(name, "_total")
		if other := names[key]; other != "" {
			key = other
		}
		value := text.GetCounter().GetValue() + text.GetGauge().GetValue()
		if have, ok := want[key]; !ok || have != value {
			t.Errorf("%s is %v, the Snapshot's %s %v (there: %v)", name, value, key, have, ok)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s of the Snapshot is no metric", key)
	}
}
