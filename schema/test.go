package schema

import "encoding/json"

// Test is one claim about a profile's firewall; exactly one of the claims is
// set. Packets are written as `sbx explain` reads them.
type Test struct {
	Accept    List     `json:"accept,omitempty"`
	Drop      List     `json:"drop,omitempty"`
	Never     RuleList `json:"never,omitempty"`
	Always    RuleList `json:"always,omitempty"`
	Only      RuleList `json:"only,omitempty"`
	Interface string   `json:"interface,omitempty"` // a key of Networks; empty: every interface
}

// RuleList is a list of rules that may be written as a single one.
type RuleList []Rule

// UnmarshalJSON implements json.Unmarshaler.
func (l *RuleList) UnmarshalJSON(data []byte) error {
	var many []Rule
	if json.Unmarshal(data, &many) == nil {
		*l = many
		return nil
	}
	var one Rule
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = RuleList{one}
	return nil
}
