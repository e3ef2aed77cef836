// Package twohosts has the tests of sweeps over several hosts: hdbench as a user
// runs it, in the lab's hosts with a real sshd in each, or with a real nats-server.
// They need root and the build tag labhost; scripts/two-hosts.sh runs them.
package twohosts
