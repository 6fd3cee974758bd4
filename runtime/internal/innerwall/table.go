package innerwall

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// table is one in the kernel's form, as it is to be or as it was read: what is equal
// in it is the same to packets.
type table struct {
	name   string
	flags  uint32  // a table that sleeps or is another's has one
	sets   []set   // by name
	chains []chain // by name
}

type set struct {
	name     string
	types    nftables.SetDatatype // a concatenation
	elements []element            // ascending
}

// element is a product of intervals: the least and the greatest of each field, filled
// up to words.
type element struct{ key, keyEnd []byte }

type chain struct {
	name  string
	base  *nftables.Chain // of one that a hook enters: its type, hook, priority and policy
	rules [][]expr.Any
}

func (t *table) kernel() *nftables.Table {
	return &nftables.Table{Name: t.name, Family: nftables.TableFamilyBridge}
}

func (s *set) kernel(t *nftables.Table) *nftables.Set {
	return &nftables.Set{Table: t, Name: s.name, KeyType: s.types, Interval: true, Concatenation: true, KeyByteOrder: binaryutil.BigEndian}
}

func (c *chain) kernel(t *nftables.Table) *nftables.Chain {
	k := new(nftables.Chain)
	if c.base != nil {
		*k = *c.base
	}
	k.Table, k.Name = t, c.name
	return k
}

func kernelElements(list []element) []nftables.SetElement {
	out := make([]nftables.SetElement, len(list))
	for n, e := range list {
		out[n] = nftables.SetElement{Key: e.key, KeyEnd: e.keyEnd}
	}
	return out
}

func compareElements(a, b element) int {
	return cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.keyEnd, b.keyEnd))
}

// missing are the elements of the first list that the second has not. Both are sorted.
func missing(of, in []element) (out []element) {
	for _, e := range of {
		if _, found := slices.BinarySearchFunc(in, e, compareElements); !found {
			out = append(out, e)
		}
	}
	return out
}
