package probe

import (
	"strings"

	"github.com/safchain/ethtool"

	"hdbench/internal/measure"
)

// ethtoolSettings asks an interface's driver. Reading needs no privilege.
func ethtoolSettings(n *measure.NIC, miss func(field string, err error)) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		miss("ethtool", err)
		return
	}
	defer e.Close()
	if d, err := e.DriverInfo(n.Name); err != nil {
		miss("driver", err)
	} else {
		clean := func(s string) string { return strings.Trim(s, "\x00 ") }
		n.Driver, n.Version, n.Firmware = clean(d.Driver), clean(d.Version), clean(d.FwVersion)
	}
	if r, err := e.GetRing(n.Name); err != nil {
		miss("rings", err)
	} else {
		n.Rings = map[string]uint32{"rx": r.RxPending, "tx": r.TxPending, "rx_max": r.RxMaxPending, "tx_max": r.TxMaxPending}
	}
	if c, err := e.GetCoalesce(n.Name); err != nil {
		miss("coalesce", err)
	} else {
		n.Coalesce = map[string]uint32{
			"rx_usecs": c.RxCoalesceUsecs, "rx_frames": c.RxMaxCoalescedFrames,
			"tx_usecs": c.TxCoalesceUsecs, "tx_frames": c.TxMaxCoalescedFrames,
			"adaptive_rx": c.UseAdaptiveRxCoalesce, "adaptive_tx": c.UseAdaptiveTxCoalesce,
		}
	}
	if c, err := e.GetChannels(n.Name); err != nil {
		miss("channels", err)
	} else {
		n.Channels = map[string]uint32{
			"rx": c.RxCount, "tx": c.TxCount, "combined": c.CombinedCount,
			"rx_max": c.MaxRx, "tx_max": c.MaxTx, "combined_max": c.MaxCombined,
		}
	}
	fs, err := e.Features(n.Name)
	miss("offloads", err)
	n.Offloads = fs
}
