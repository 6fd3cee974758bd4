package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

// everyField is two profiles that between them set every field there is.
var everyField = []string{`{
	"name": "web", "description": "a web server", "after": ["db", "queue"], "every": "daily", "backend": "lxc", "hostname": "www", "labels": {"team": "a"},
	"run": {"argv": ["/bin/web", "-f"], "env": {"A": "1"}, "workdir": "/srv", "user": "www-data", "capabilities": ["chown", "kill"], "umask": "022", "restart": "on-failure",
		"ready": {"http": {"port": 80, "path": "/up"}, "timeout": "10s"}, "health": {"exec": ["/bin/ok", "-q"], "every": "10s", "failures": 3},
		"prepare": [{"exec": ["/bin/ok", "-t"], "user": "root", "timeout": "10s"}, {"exec": ["/bin/ok", "-u"], "timeout": "20s"}], "reload": {"signal": "HUP", "timeout": "10s"},
		"stop": {"signal": "TERM", "timeout": "10s"}},
	"expose": ["/usr", "/etc/passwd"],
	"mounts": {"/srv/www": {"host": "/srv/www", "writable": true, "sockets": true, "ids": ["redis", "110:119"]}, "/srv/kept": {"host": "/srv/kept.ext4", "writable": true, "size": "1GiB"}, "/run": {"tmpfs": "1MiB", "mode": "0755", "owner": "daemon"}, "/host/proc": {"figures": "proc"}, "/run/php/php.sock": {"socket": {"to": ["shop", "web"]}}, "/run/db/db.sock": {"socket": {"from": "db"}}, "/srv/web.conf": {"file": "port 80", "mode": "0644"}},
	"networks": {
		"lan": {"attach": "lan", "create": {"mode": "nat", "address": ["10.0.0.1/24", "fd00::1/64"], "dhcp": "10.0.0.100-10.0.0.200", "domain": "lan.test"},
			"address": ["10.0.0.80/24", "fd00::80/64"], "gateway": ["10.0.0.1", "fd00::1"], "dns": ["10.0.0.1", "fd00::1"],
			"routes": [{"to": "10.9.0.0/16", "via": "10.0.0.9"}, {"to": "10.8.0.0/16", "via": "10.0.0.9"}],
			"publish": [{"tcp": 8080, "to": 90, "on": ["10.1.0.1", "10.1.0.2"]}, {"tcp": 8081, "to": 91}],
			"allow": [
				{"in": {"tcp": [80, "8000-8010"]}, "from": ["10.0.0.0/8"], "connections": 10},
				{"in": {"tcp": ["90-92"]}}, {"in": {"udp": [53, 54]}}, {"in": {"sctp": [80, 81]}, "from": ["10.0.0.0/9", "fd00::/64"]},
				{"in": {"icmp": ["echo-request", "13"]}}, {"out": {"icmpv6": ["echo-request", "time-exceeded"]}, "to": ["fd00::/64", "fd01::/64"]},
				{"out": {"any": true}, "to": ["10.0.0.7"]}]},
		"back": {"bridge": "br0", "dhcp": true}},
	"secrets": {"key": {"file": "/etc/key"}, "word": {"env": "WORD"}, "token": {"command": ["/bin/token", "-n"]}},
	"resources": {"memory": "1GiB", "cpus": 2, "pids": 100, "cpuWeight": 200, "ioWeight": 200, "ulimits": {"nofile": {"soft": 1024, "hard": 4096}, "core": 5}},
	"sysctls": {"net.core.somaxconn": 4096},
	"devices": ["/dev/fuse", "/dev/net/tun"],
	"display": {"size": "1280x800", "server": "x11", "clipboard": "in", "resize": true},
	"capabilities": ["chown", "kill"],
	"mac": "require",
	"syscalls": {"nested": true, "allow": ["bpf", "io_uring"]},
	"users": {"namespace": true, "base": 655360},
	"tests": {"open": {"accept": ["in tcp 10.0.0.7 -> :80"]}}
}`, `{
	"name": "web", "backend": "kvm", "hostname": "web",
	"run": {"argv": ["/bin/web"], "workdir": "/", "user": "root", "umask": "022", "restart": "never", "ready": {"tcp": 80, "notify": true, "timeout": "10s"}, "health": {"file": "/ok", "every": "10s", "failures": 3}, "reload": {"exec": ["/bin/reload", "-q"], "timeout": "10s"},
		"stop": {"signal": "TERM", "timeout": "10s"}},
	"mounts": {"/data": {"image": "/srv/data.img", "format": "raw", "writable": true}},
	"network": {"attach": "default", "address": ["10.0.0.80/24"], "allow": [{"in": {"tcp": [80]}}]},
	"resources": {"memory": "1GiB", "cpus": 2}, "users": {"namespace": true}, "machine": {"accel": "require", "arch": "x86_64", "kernel": "/srv/vmlinuz", "modules": "/srv/modules"}
}`}

// readProfile decodes what everyField holds.
func readProfile(t *testing.T, text string) *schema.Profile {
	t.Helper()
	p := &schema.Profile{Source: nowhere{}}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// unreviewed are the fields that a change of leaves the verdict as it is, each
// with the reason.
var unreviewed = map[string]string{
	"Description": "words for people",
	"Labels":      "words for the tools around sbx",
	"Tests":       "claims about the profile, which are no part of it",

	"lxc Mounts[/run].Writable":              "the schema gives it to host and image alone",
	"lxc Mounts[/host/proc].Writable":        "the schema gives it to host and image alone",
	"lxc Mounts[/run/php/php.sock].Writable": "the schema gives it to host and image alone",
	"lxc Mounts[/run/db/db.sock].Writable":   "the schema gives it to host and image alone",
	"lxc Mounts[/srv/web.conf].Writable":     "the schema gives it to host and image alone",
	"kvm Users":                              "the schema gives it to lxc alone",

	"IDs reversed":          "each counts by itself",
	"After reversed":        "all of them come first",
	"Devices reversed":      "each stands at its own path",
	"Expose reversed":       "each stands at its own path",
	"Capabilities reversed": "a set",
	"Gateway reversed":      "one a family",
	"Routes reversed":       "the kernel takes the longest prefix",
	"Publish reversed":      "each port leads by itself",
	"On reversed":           "the addresses listen side by side",
	"Allow reversed":        "no rule's bound depends on another rule here",
	"TCP reversed":          "each range counts by itself", "UDP reversed": "a set", "SCTP reversed": "a set",
	"ICMP reversed": "a set", "ICMPv6 reversed": "a set", "From reversed": "a set", "To reversed": "a set",
}

// unlowered are those that a change of leaves the bundle as it is, but for the
// profile's digest.
var unlowered = map[string]string{
	"Labels": unreviewed["Labels"],
	"Tests":  unreviewed["Tests"],

	"IDs reversed": unreviewed["IDs reversed"],

	"lxc Mounts[/run/php/php.sock].Writable": unreviewed["lxc Mounts[/run/php/php.sock].Writable"],
	"lxc Mounts[/run/db/db.sock].Writable":   unreviewed["lxc Mounts[/run/db/db.sock].Writable"],

	"Expose reversed": unreviewed["Expose reversed"], "Capabilities reversed": "a set", "lxc Syscalls.Allow reversed": "a set", "From reversed": "a set", "To reversed": "a set",
}

// Every leaf of the schema's structs counts: another value changes what review
// says and what the profile is lowered to, or stands in a list with its reason.
func TestEveryFieldCounts(t *testing.T) {
	used := map[string]bool{}
	for _, text := range everyField {
		base := readProfile(t, text)
		checkAllSet(t, readProfile(t, everyField[0]), readProfile(t, everyField[1]))
		lowered, err := meaning(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variants(reflect.ValueOf(*base), "") {
			p := v.value.Interface().(schema.Profile)
			after := Version{Profile: &p}
			report, err := Compare(Version{Profile: base}, after)
			if err != nil {
				continue // it is refused, and not silently taken
			}
			reason := named(unreviewed, base.Backend, v.path, used)
			if (report.Verdict == Equivalent) != (reason != "") {
				t.Errorf("%s: review says %s, and the list gives %q as a reason for silence", v.path, report.Verdict, reason)
			}
			bundle, err := meaning(&p)
			if err != nil {
				continue
			}
			if reason := named(unlowered, base.Backend, v.path, used); reason == "" && bundle == lowered {
				t.Errorf("%s: the bundle is the same, and no list says why", v.path)
			}
		}
	}
	for _, list := range []map[string]string{unreviewed, unlowered} {
		for path := range list {
			if !used[path] {
				t.Errorf("a list names %s, which nothing meets", path)
			}
		}
	}
}

// meaning is all of a bundle's files without the profile's digest.
func meaning(p *schema.Profile) (string, error) {
	b, err := compiler.Compile(p, compiler.Options{})
	if err != nil {
		return "", err
	}
	var all bytes.Buffer
	for _, f := range b.Files {
		fmt.Fprintln(&all, f.Name, strings.ReplaceAll(string(f.Data), b.Index.Profile, ""))
	}
	fmt.Fprintln(&all, b.Index.Secrets, b.Index.MAC)
	return all.String(), nil
}

// named finds the reason that a list gives: for a field of any struct, for this
// place in a profile of this backend, or for the place that it is in.
func named(list map[string]string, backend schema.Backend, path string, used map[string]bool) string {
	path = strings.TrimSuffix(strings.TrimSuffix(path, " gone"), " renamed")
	fields := strings.Split(indices.ReplaceAllString(path, ""), ".")
	for _, at := range append(fields, string(backend)+" "+path, string(backend)+" "+fields[0]) {
		if reason, ok := list[at]; ok {
			used[at] = true
			return reason
		}
	}
	return ""
}

var indices = regexp.MustCompile(`\[[^]]*\]`)

// checkAllSet checks that no field was forgotten in everyField, so that a new one
// of the schema must be added there, and is then looked at.
func checkAllSet(t *testing.T, of ...*schema.Profile) {
	t.Helper()
	set := map[string]bool{}
	for _, p := range of {
		collect(reflect.ValueOf(*p), set)
	}
	for field := range fieldsOf(reflect.TypeFor[schema.Profile](), map[string]bool{}) {
		if !set[field] && field != "Profile.Source" {
			t.Errorf("everyField does not set %s", field)
		}
	}
}

// fieldsOf adds the fields of a type, and of all structs of the schema that it holds.
func fieldsOf(t reflect.Type, all map[string]bool) map[string]bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return fieldsOf(t.Elem(), all)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.Anonymous {
				all[t.Name()+"."+f.Name] = true
			}
			if unreviewed[f.Name] == "" || unlowered[f.Name] == "" { // else neither asks what is in it
				fieldsOf(f.Type, all)
			}
		}
	}
	return all
}

// collect notes the fields that are not zero somewhere.
func collect(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				set[v.Type().Name()+"."+v.Type().Field(i).Name] = true
				collect(v.Field(i), set)
			}
		}
	case reflect.Pointer:
		collect(v.Elem(), set)
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), set)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collect(v.MapIndex(key), set)
		}
	}
}

// variant is a value that differs in one place.
type variant struct {
	path  string
	value reflect.Value
}

// variants gives the values that differ from v in one leaf, one element or one
// order.
func variants(v reflect.Value, path string) (out []variant) {
	put := func(path string, change func(to reflect.Value)) {
		to := reflect.New(v.Type()).Elem()
		to.Set(v)
		change(to)
		out = append(out, variant{path, to})
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[schema.Ports]() {
			put(path, func(to reflect.Value) { to.Field(1).SetUint(v.Field(1).Uint() + 7) })
			return out
		}
		for i := range v.NumField() {
			for _, inner := range variants(v.Field(i), join(path, v.Type().Field(i).Name)) {
				put(inner.path, func(to reflect.Value) { to.Field(i).Set(inner.value) })
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		put(path+" gone", func(to reflect.Value) { to.SetZero() })
		for _, inner := range variants(v.Elem(), path) {
			put(inner.path, func(to reflect.Value) {
				to.Set(reflect.New(v.Type().Elem()))
				to.Elem().Set(inner.value)
			})
		}
	case reflect.Slice:
		out = slices.Concat(out, sliceVariants(v, path))
	case reflect.Map:
		for _, key := range v.MapKeys() {
			at := fmt.Sprintf("%s[%v]", path, key)
			put(at+" gone", func(to reflect.Value) { to.Set(without(v, key)) })
			put(at+" renamed", func(to reflect.Value) {
				to.Set(without(v, key))
				to.SetMapIndex(reflect.ValueOf(key.String()+"x"), v.MapIndex(key))
			})
			for _, inner := range variants(v.MapIndex(key), at) {
				put(inner.path, func(to reflect.Value) {
					to.Set(without(v, key))
					to.SetMapIndex(key, inner.value)
				})
			}
		}
	case reflect.String:
		if v.String() != "" {
			put(path, func(to reflect.Value) { to.SetString(other(v.String())) })
		}
	case reflect.Bool:
		put(path, func(to reflect.Value) { to.SetBool(!v.Bool()) })
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Float64:
		if !v.IsZero() { // else it is another kind's field
			put(path, func(to reflect.Value) { to.Set(double(v)) })
		}
	}
	return out
}

func double(v reflect.Value) reflect.Value {
	twice := reflect.New(v.Type()).Elem()
	switch {
	case v.CanInt():
		twice.SetInt(2 * v.Int())
	case v.CanUint():
		twice.SetUint(2 * v.Uint())
	default:
		twice.SetFloat(2 * v.Float())
	}
	return twice
}

func sliceVariants(v reflect.Value, path string) (out []variant) {
	put := func(path string, values []reflect.Value) {
		out = append(out, variant{path, reflect.Append(reflect.MakeSlice(v.Type(), 0, len(values)), values...)})
	}
	all := make([]reflect.Value, v.Len())
	for i := range all {
		all[i] = v.Index(i)
	}
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		put(at+" gone", slices.Delete(slices.Clone(all), i, i+1))
		for _, inner := range variants(all[i], at) {
			changed := slices.Clone(all)
			changed[i] = inner.value
			put(inner.path, changed)
		}
	}
	if len(all) > 1 {
		backwards := slices.Clone(all)
		slices.Reverse(backwards)
		put(path+" reversed", backwards)
	}
	return out
}

// without is a copy of a map that lacks a key.
func without(m reflect.Value, key reflect.Value) reflect.Value {
	rest := reflect.MakeMap(m.Type())
	for _, k := range m.MapKeys() {
		if k.String() != key.String() {
			rest.SetMapIndex(k, m.MapIndex(k))
		}
	}
	return rest
}

// others are values in place of those that a changed letter would not leave one
// of their kind.
var others = strings.NewReplacer("10.0.0.", "10.0.4.", "10.1.0.", "10.1.4.", "10.9.0.", "10.7.0.", "10.8.0.", "10.6.0.", "fd00::", "fd02::", "fd01::", "fd03::",
	"echo-request", "destination-unreachable", "time-exceeded", "parameter-problem", "lxc", "kvm", "kvm", "lxc", "require", "prefer", "prefer", "require", "022", "077", "0755", "0700", "0644", "0600")

func other(s string) string {
	if changed := others.Replace(s); changed != s {
		return changed
	}
	if s == "13" {
		return "17"
	}
	return s + "x"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
