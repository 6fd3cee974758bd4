package load

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Each base says more than two things that a profile would have to say without it, all
// of which give way to the profile's own word.
func TestBases(t *testing.T) {
	const network = `, network: {attach: "n", allow: [{in: tcp: [80]}]}`
	for base, body := range map[string]string{
		"#Service": ``,
		"#Web":     `, run: ready: tcp: 80` + network,
		"#Worker":  ``,
		"#Job":     ``,
		"#Shell":   ``,
		"#Desktop": `, display: _`,
	} {
		body = `name: "a", backend: "lxc", run: argv: ["/usr/bin/a"]` + body
		plain, with := said(t, "#Profile", body), said(t, base, body)
		var brought []string
		for path, value := range with {
			if plain[path] != value {
				brought = append(brought, path)
			}
		}
		if len(brought) <= 2 {
			t.Errorf("%s says no more than %q", base, brought)
		}
		own := said(t, base, body+`, expose: ["/usr"], run: {restart: "never", env: {LANG: "C", HOME: "/usr"}, workdir: "/usr"}, mounts: "/tmp": {tmpfs: "1MiB"}`)
		for path, want := range map[string]string{"expose": "[/usr]", "run.restart": "never", "run.env.LANG": "C", "run.workdir": "/usr", "mounts./tmp.tmpfs": "1MiB"} {
			if own[path] != want {
				t.Errorf("%s: %s is %q against the profile's own %q", base, path, own[path], want)
			}
		}
	}
	for base, body := range map[string]string{"#Web": ``, "#Worker": network, "#Job": network, "#Shell": network} {
		if _, err := load(base, `name: "a", backend: "lxc", run: argv: ["/usr/bin/a"]`+body); err == nil {
			t.Errorf("%s takes %q", base, body)
		}
	}
}

func load(base, body string) (map[string]any, error) {
	config := Config{Stdin: strings.NewReader("import \"github.com/sbx-dev/sbx/schema\"\nschema." + base + " & {" + body + "}\n")}
	p, err := config.Load("-")
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(p[0])
	if err != nil {
		return nil, err
	}
	var all map[string]any
	return all, json.Unmarshal(data, &all)
}

// said are all values of a profile, by their path.
func said(t *testing.T, base, body string) map[string]string {
	t.Helper()
	all, err := load(base, body)
	if err != nil {
		t.Fatalf("%s: %v", base, err)
	}
	values := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		fields, ok := v.(map[string]any)
		if !ok {
			values[strings.TrimPrefix(path, ".")] = fmt.Sprint(v)
			return
		}
		for name, value := range fields {
			walk(path+"."+name, value)
		}
	}
	walk("", all)
	return values
}
