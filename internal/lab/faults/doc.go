// Package faults is the fault matrix: sweeps between hosts of the lab, over a real
// ssh and a real nats-server, in which something breaks. Each row checks what the
// sweep says and how it ends, that its folder is valid, that no failed trial has
// numbers, that --resume finishes it, and that nothing of ours is left on any host.
package faults
