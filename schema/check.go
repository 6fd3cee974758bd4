package schema

import "github.com/sbx-dev/sbx/schema/diag"

func check(p *Profile) diag.List { return nil }
