package service

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// placed says where in the profiles the addresses stand that others have.
func placed(err error, profiles []*schema.Profile) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, one := range several.Unwrap() {
			list = append(list, placed(one, profiles))
		}
		return errors.Join(list...)
	}
	var taken *runtime.AddressTaken
	if !errors.As(err, &taken) {
		return err
	}
	for _, p := range profiles {
		if at := addressAt(p, taken.Address); p.Name == taken.Name && at != "" {
			return fmt.Errorf("%v: %w", verb.PlaceHere(p.Source.Pos(at)), err)
		}
	}
	return err
}

// addressAt is the path of an address in a profile, or "".
func addressAt(p *schema.Profile, address string) string {
	interfaces := map[string]schema.Network{}
	if p.Network != nil {
		interfaces["network"] = *p.Network
	}
	for key, n := range p.Networks {
		interfaces[schema.Field("networks", key)] = n
	}
	for path, i := range interfaces {
		for n, text := range i.Address {
			if own, _, _ := strings.Cut(text, "/"); own == address {
				return schema.Elem(path+".address", n)
			}
		}
	}
	return ""
}
