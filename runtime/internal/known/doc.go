// Package known is the list of the kinds of sandboxes that there are.
package known
