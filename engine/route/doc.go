// Package route decides who is told, when and why: the routing tree, groups
// and inhibition. It is called by engine and is pure: no clock, no I/O, no
// lock; every decision carries its reason.
package route
