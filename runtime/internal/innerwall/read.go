package innerwall

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// read reads the named table; nil where there is none. It takes several questions, and the
// kernel leaves something out of an answer, or says it twice, where others change tables
// meanwhile, be it other ones (NLM_F_DUMP_INTR): then it asks again.
func read(conn *nftables.Conn, name string) (t *table, err error) {
	before, known := generation()
	for range tries {
		t, err = readOnce(conn, name)
		now, same := generation()
		if !known || !same || now == before {
			break
		}
		before = now
	}
	return t, err
}

// generation numbers the transactions of nftables in this network namespace; ok is false
// where the kernel does not say it.
func generation() (id uint32, ok bool) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   make([]byte, 4), // struct nfgenmsg: of all families
	})
	if err != nil || len(answers) != 1 || len(answers[0].Data) < 4 {
		return 0, false
	}
	attributes, err := netlink.NewAttributeDecoder(answers[0].Data[4:])
	if err != nil {
		return 0, false
	}
	attributes.ByteOrder = binary.BigEndian
	for attributes.Next() {
		if attributes.Type() == unix.NFTA_GEN_ID {
			id, ok = attributes.Uint32(), true
		}
	}
	return id, ok && attributes.Err() == nil
}

func readOnce(conn *nftables.Conn, name string) (*table, error) {
	found, err := conn.ListTableOfFamily(name, nftables.TableFamilyBridge)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &table{name: name, flags: found.Flags}
	if out.chains, err = readChains(conn, found); err != nil {
		return nil, err
	}
	if out.sets, err = readSets(conn, found); err != nil {
		return nil, err
	}
	out.sort()
	return out, nil
}

func readChains(conn *nftables.Conn, t *nftables.Table) (out []chain, err error) {
	all, err := conn.ListChainsOfTableFamily(nftables.TableFamilyBridge)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Table.Name != t.Name {
			continue
		}
		one := chain{name: c.Name}
		if c.Hooknum != nil {
			one.base = &nftables.Chain{Type: c.Type, Hooknum: c.Hooknum, Priority: c.Priority, Policy: c.Policy}
		}
		rules, err := conn.GetRules(t, c)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			one.rules = append(one.rules, r.Exprs)
		}
		out = append(out, one)
	}
	return out, nil
}

func readSets(conn *nftables.Conn, t *nftables.Table) (out []set, err error) {
	all, err := conn.GetSets(t)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		one := set{name: s.Name, types: s.KeyType}
		elements, err := conn.GetSetElements(s)
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			one.elements = append(one.elements, element{e.Key, e.KeyEnd})
		}
		out = append(out, one)
	}
	return out, nil
}

// same says whether packets meet the same in both tables; the first may be nil.
func (t *table) same(want *table) bool { return t != nil && t.print() == want.print() }

// sameForm says whether nothing differs but elements of the sets.
func (t *table) sameForm(want *table) bool { return t.form() == want.form() }

// encode writes a rule so that two that do the same are equal: what the kernel counts
// is no part of it.
func encode(rule []expr.Any) []byte {
	var out bytes.Buffer
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Counter:
			fmt.Fprint(&out, "counter;")
		case *expr.Lookup:
			fmt.Fprintf(&out, "lookup %d %q %v;", e.SourceRegister, e.SetName, e.Invert)
		default:
			fmt.Fprintf(&out, "%T %+v;", e, reflect.Indirect(reflect.ValueOf(e)))
		}
	}
	return out.Bytes()
}

// Absent is the fingerprint of a table that is not there, and Changed what Mend says of
// one that is another than it should be.
const (
	Absent  = "absent"
	Changed = "changed"
)

// Print is a fingerprint of the kernel's table of that name, as packets meet it.
func Print(name string) (string, error) {
	conn, err := connect()
	if isAbsent(err) {
		return Absent, nil
	}
	if err != nil {
		return "", fmt.Errorf("the inner wall %s: %w", name, err)
	}
	defer conn.CloseLasting()
	have, err := read(conn, name)
	switch {
	case err != nil && meanwhile(err):
		return "", fmt.Errorf("the inner wall %s: %w", name, err)
	case err != nil:
		return "another's, which cannot be read: " + err.Error(), nil
	case have == nil:
		return Absent, nil
	}
	return have.print(), nil
}

// Wanted is the fingerprint that the compiled table has once it is loaded.
func Wanted(t *compiled.Table) (string, error) {
	want, err := convert(t)
	if err != nil {
		return "", fmt.Errorf("the inner wall %s: %w", t.Name, err)
	}
	return want.print(), nil
}

// print tells the table from each that lets other packets pass.
func (t *table) print() string {
	sum, elements := sha256.New(), 0
	for _, s := range t.sets {
		fmt.Fprintf(sum, "set %q\n", s.name)
		for _, e := range s.elements {
			fmt.Fprintf(sum, "%x %x\n", e.key, e.keyEnd)
		}
		elements += len(s.elements)
	}
	return fmt.Sprintf("%d elements, sha256:%x; form %s", elements, sum.Sum(nil), t.form())
}

// form is what print says of all but the elements.
func (t *table) form() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "flags %d\n", t.flags)
	for _, s := range t.sets {
		fmt.Fprintf(sum, "set %q of %s\n", s.name, s.types.Name)
	}
	for _, c := range t.chains {
		fmt.Fprintf(sum, "chain %q\n", c.name)
		if b := c.base; b != nil {
			fmt.Fprintf(sum, "type %s hook %s priority %s policy %s\n", b.Type, number(b.Hooknum), number(b.Priority), number(b.Policy))
		}
		for _, r := range c.rules {
			fmt.Fprintf(sum, "%s\n", encode(r))
		}
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil))
}

// number writes a number that the kernel may leave out.
func number[N ~int32 | ~uint32](n *N) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}
