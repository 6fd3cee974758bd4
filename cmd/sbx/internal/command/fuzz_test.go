package command

import "testing"

// FuzzRule reads any text at all as a rule of --allow.
func FuzzRule(f *testing.F) {
	for _, text := range []string{"out tcp:443 to 192.0.2.7", "in tcp:80,8000-8010", "out any", "in icmp:echo-request from fd00::/64,db"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := parseRule(text)
		if err == nil && (rule.In == nil) == (rule.Out == nil) {
			t.Errorf("%q became %+v", text, rule)
		}
	})
}
