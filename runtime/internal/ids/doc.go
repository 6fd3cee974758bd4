// Package ids keeps the host's user and group ids of sandboxes apart from each other's
// and from all that the host gives away.
package ids
