// Package kinds is what differs between kinds of sandboxes: the questions that each
// answers, and what it finds here to do its work with.
package kinds
